"""Becomes a server of tools: with nothing of our environment, and not for longer than who asked for it.

Run as a script by a bare interpreter, so it imports nothing of ours: PARENT HOME COMMAND [ARGUMENT …]
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # Linux: sent when the thread that started us ends, hence when its process does
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
LARGEST_FILE = 256 * 2**20


def main(parent: str, home: str, *line: str) -> None:
    """Replace this process by the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        _give_up_rights()
    if os.getppid() != int(parent):  # it died before it could have told us
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold what users said
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    path = os.environ.get("PATH", os.defpath)
    told = {"PATH": path, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    os.execvpe(line[0], line, told)


def _give_up_rights() -> None:
    """Have the command get no right that this process lacks, and as root none of root's: it could read our secrets."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    capability = 0
    while (
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0
    ):  # refused to whoever has none to drop, and behind the last
        capability += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
