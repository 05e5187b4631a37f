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


def main(parent: str, home: str, *line: str) -> None:
    """Replace this process by the command."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it died before it could have told us
        sys.exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold what users said
    path = os.environ.get("PATH", os.defpath)
    told = {"PATH": path, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    os.execvpe(line[0], line, told)


if __name__ == "__main__":
    main(*sys.argv[1:])
