"""Processes that are not children of the campaign: those of the database server. Linux only."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path


def find_children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still are its own."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def end_processes(pids: Iterable[int]) -> None:
    """Kill processes with SIGKILL and return when they are gone, reaped or not."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        while _is_alive(pid):
            time.sleep(0.01)


def _is_alive(pid: int) -> bool:
    """A process that is dead and not reaped yet has no command line any more."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    return False
