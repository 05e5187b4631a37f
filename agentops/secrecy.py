"""What a process was started with stays its own: others of its account, such as servers of tools, cannot read it."""

from __future__ import annotations

import ctypes
import sys

PR_SET_DUMPABLE = 4  # Linux


def keep_to_itself() -> bool:
    """Close /proc/…/environ and memory of this process to all but an administrator; return whether the system can.

    It also leaves no core dump. A program that this process becomes by ``exec`` has to ask again.
    """
    if sys.platform != "linux":
        return False
    return int(ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) == 0
