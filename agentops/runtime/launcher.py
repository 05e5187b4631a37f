"""Start a program as another account and tie its life to its parent's.

``launcher.py SIGNAL PARENT_PID UID GID -- PROGRAM ARGUMENTS...`` (a UID of -1 keeps the account).
It runs before ``exec`` in the child, because code between fork and exec is unsafe in a threaded parent.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(argv: list[str]) -> None:
    """Drop the account if asked, arrange the death signal, become the program."""
    stop_signal, parent, uid, gid = map(int, argv[:4])
    program = argv[5:]
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # before the account loses its files
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, stop_signal, 0, 0, 0)  # after setuid, which clears it
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the line above
    os.execv(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
