"""Looking at processes from outside: who descends from whom, and who is gone."""

from __future__ import annotations

import contextlib

import psutil


def descendants(pid: int) -> list[psutil.Process]:
    """Return all children of a process and theirs."""
    return psutil.Process(pid).children(recursive=True)


def still_running(processes: list[psutil.Process], within_s: float) -> list[psutil.Process]:
    """Wait for the end of processes; return those that are still there after ``within_s`` seconds.

    A process nobody has reaped yet (a zombie) is gone: it runs nothing and holds nothing.
    """
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    running = []
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
    return running
