"""A worker in a thread of this process: it drives whatever is due."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from agentops.database import borrowed
from runs.driver import drive
from runs.lease_rows import find_due

LOOK_S = 0.02


@contextmanager
def working() -> Iterator[None]:
    """Drive runs until the end of the block."""
    stopped = threading.Event()
    thread = threading.Thread(target=_work, args=[stopped])
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(30)


def _work(stopped: threading.Event) -> None:
    try:
        while not stopped.wait(LOOK_S):
            with borrowed() as journal, journal.cursor() as cursor:
                due = find_due(cursor, 10)
            for run in due:
                drive(run)
    finally:
        connection.close()
