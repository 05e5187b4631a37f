"""Debian's Chromium, for the tests in a browser: found, or installed where this account may.

``python3 -m agentops.runtime.chromium`` does just that.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from agentops.runtime.bootstrap import BootstrapError

NAME = "chromium"
UPDATE = ("apt-get", "update", "-qq")
INSTALL = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", NAME, "fonts-dejavu-core")
# What to type; somebody at a terminal can be asked for a password.
REMEDY = f"sudo {' '.join(UPDATE)} && sudo {' '.join(INSTALL)}"


def find_chromium() -> str:
    """Return the path of Chromium; raises BootstrapError, which says how to install it."""
    path = shutil.which(NAME)
    if path is None:
        raise BootstrapError(f"Chromium is missing: {REMEDY}")
    return path


def provide_chromium() -> str:
    """Return the path of Chromium, installed if need be; raises BootstrapError where that cannot be done."""
    if shutil.which(NAME) is None and shutil.which("apt-get") is not None:
        as_root = _as_root()
        if as_root is not None:
            print("agentops: installing Chromium", file=sys.stderr)
            for command in (UPDATE, INSTALL):
                subprocess.run([*as_root, *command], check=False)
    return find_chromium()


def _as_root() -> list[str] | None:
    """Return what makes a command root's without asking anybody; None if nothing does."""
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if os.geteuid() == 0:
        return quietly
    sudo = ["sudo", "-n"]
    may = shutil.which("sudo") and subprocess.run([*sudo, "true"], capture_output=True, check=False)
    return [*sudo, *quietly] if may and may.returncode == 0 else None


if __name__ == "__main__":
    try:
        print(provide_chromium())
    except BootstrapError as error:
        sys.exit(f"agentops: {error}")
