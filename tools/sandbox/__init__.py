"""The room in which a server is started: what is in it, and whether this kernel makes one at all.

A room is made of what Linux gives any account: namespaces of its own for users, mounts, processes, network, host name
and System V objects, which `launcher.py` makes by the kernel's own calls. Containers often refuse them. Then nothing is
started, unless the operator has said of a command that it needs no sandbox.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.commands import Command

LAUNCHER = Path(__file__).with_name("launcher.py")
PROBE_S = 30
# Programs and what they cannot do without; nothing of it is anybody's. Of an interpreter of ours its own folders are
# read as well: servers written in Python are installed beside us.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ld.so.cache",
          "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/localtime")  # fmt: skip
FOR_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services")


def launch_line(command: Command, home: str) -> list[str]:
    """Return the line that starts a server in its room, or without one if its operator said so."""
    room = {
        "line": list(command.line),
        "home": home,
        "sandbox": command.sandbox,
        "network": command.network,
        "reads": _read_always(command),
        "needs": list(command.reads),
        "writes": list(command.writes),
    }
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), json.dumps(room)]


def environment() -> dict[str, str]:
    """Return all that is told to a server of our environment."""
    return {"PATH": os.environ.get("PATH", os.defpath)}


def find_refusal(command: Command) -> str:
    """Return why a command is not started here; empty if it is."""
    refusal = probe() if command.sandbox else ""
    if not refusal:
        return ""
    remedy = "let the worker's container make user namespaces, or the operator set sandbox to false for this command"
    return f"No sandbox can be made here ({refusal}): {remedy}."


@cache
def probe() -> str:
    """Make a room once and do nothing in it; return what the kernel refused, empty if nothing."""
    if sys.platform != "linux":
        return "only Linux has namespaces"
    with TemporaryDirectory(prefix="mcp-") as home:
        line = launch_line(Command((sys.executable, "-I", "-S", "-c", "")), home)
        try:
            done = subprocess.run(
                line, cwd=home, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
                timeout=PROBE_S, start_new_session=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "making one takes too long"
    return "" if done.returncode == 0 else done.stderr.strip()[:60] or f"exit code {done.returncode}"


def _read_always(command: Command) -> list[str]:
    """Return what is there to be read where it exists: the system's programs, and what the line names by its path."""
    named = [shutil.which(command.line[0]) or "", *command.line[1:]]
    mine = [
        sys.prefix,
        sys.base_prefix,
        *(each for each in named if each.startswith("/") and each.strip("/")),
    ]
    found = [*SYSTEM, *(FOR_NETWORK if command.network else ()), *mine]
    return list(dict.fromkeys(each for each in found if each.strip("/")))
