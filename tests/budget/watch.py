"""A watcher with a connection of its own, who looks at the books while others write them."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from typing import Self

import psycopg

from tests.budget.books import Fullness, find_faults, read_fullness

_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


def connect() -> psycopg.Connection:
    """Open a connection of one's own to this test worker's database, autocommitting."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def count_deadlocks() -> int:
    """Return how many deadlocks the server has ever broken up in this database."""
    with connect() as connection:
        row = connection.execute(_DEADLOCKS).fetchone()
    return row[0] if row else 0


@dataclass
class Watch:
    """Look until the block ends; ``faults`` holds what was seen that must never be."""

    faults: list[str] = field(default_factory=list)
    fullness: Fullness = field(default_factory=Fullness)
    looks: int = 0
    most_waiting: int = 0
    deadlocks: int = 0

    def __post_init__(self) -> None:
        self.deadlocks = -count_deadlocks()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="budget-watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.deadlocks += count_deadlocks()

    def _look(self) -> None:
        with connect() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while not self._over.wait(0.005):
                with connection.transaction():
                    self.faults.extend(find_faults(connection))
                    self.fullness = self.fullness.merged(read_fullness(connection))
                    row = connection.execute(_WAITING).fetchone()
                self.most_waiting = max(self.most_waiting, row[0] if row else 0)
                self.looks += 1
