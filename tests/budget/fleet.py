"""Drivers in processes of their own: ``python -m tests.budget.fleet THREADS`` drives the runs named on its input.

It prints what a driver complained about, and ends when every run has ended.
"""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from uuid import UUID

from agentops.runtime.supervision import ROOT

PROCESSES, THREADS = 4, 25
TIMEOUT_S = 600.0
# The server of the embedded stack takes 200 connections.
POOLS = {"JOURNAL_POOL_SIZE": "12", "ORM_POOL_SIZE": "16"}


def drive_all(runs: Sequence[UUID], environment: dict[str, str]) -> list[str]:
    """Drive runs with a hundred threads in four processes; return what went wrong."""
    argv = [sys.executable, "-m", "tests.budget.fleet", str(THREADS)]
    variables = {**os.environ, **POOLS, **environment}
    processes = [
        subprocess.Popen(
            argv, cwd=ROOT, env=variables, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    complaints: list[str] = []
    try:
        for number, process in enumerate(processes):
            assert process.stdin is not None
            process.stdin.write("".join(f"{run}\n" for run in runs[number::PROCESSES]))
            process.stdin.close()
            process.stdin = None
        for process in processes:
            output, _ = process.communicate(timeout=TIMEOUT_S)
            complaints += [output] if output or process.returncode else []
    finally:
        for process in processes:
            process.kill()
    return complaints


def _work(waiting: queue.SimpleQueue[UUID]) -> None:
    from runs.driver import drive

    while True:
        try:
            run = waiting.get_nowait()
        except queue.Empty:
            return
        if drive(run) or not _has_ended(run):
            time.sleep(0.02)  # it waits for its next attempt
            waiting.put(run)


def _has_ended(run: UUID) -> bool:
    from agentops.database import borrowed

    with borrowed() as connection:
        row = connection.execute("SELECT ended_at FROM runs_run WHERE id = %s", (run,)).fetchone()
    return bool(row and row[0])


def main(threads: int) -> None:
    import django

    django.setup()
    logging.getLogger("openai").setLevel(logging.CRITICAL)
    waiting: queue.SimpleQueue[UUID] = queue.SimpleQueue()
    for line in sys.stdin:
        waiting.put(UUID(line.strip()))
    workers = [threading.Thread(target=_work, args=(waiting,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main(int(sys.argv[1]))
