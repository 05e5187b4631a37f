"""Celery workers on this test's databases, which can be killed; leases are short, so that death is noticed soon."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from agentops.runtime import application
from agentops.runtime.processes import Process
from agentops.runtime.services import Stack
from tests.budget.watch import connect
from tests.live import GIVEN

LEASE_S = "2"
PATIENCE_S = 120.0


@dataclass
class Workers:
    """The workers that live."""

    stack: Stack
    alive: list[Process] = field(default_factory=list)

    def start(self) -> None:
        self.alive.append(application.spawn_worker(self.stack))

    def kill(self) -> None:
        """Kill the oldest with SIGKILL."""
        self.stack.kill(self.alive.pop(0))


@contextmanager
def open_workers(data: Path, environment: Mapping[str, str]) -> Iterator[Workers]:
    """Provide a sweeper, and workers as they are asked for."""
    with Stack(data, durable=False) as stack:
        stack.variables |= {name: os.environ[name] for name in GIVEN if os.environ.get(name)}
        stack.variables |= {"AGENTOPS_ENV": "test", "LEASE_S": LEASE_S, **environment}
        application.spawn_beat(stack)
        yield Workers(stack)


def wait_until(holds: Callable[[], object], words: str) -> None:
    """Wait until something holds; fail with words if it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, words
        time.sleep(0.02)


def wait_for_endings(books: psycopg.Connection) -> None:
    """Wait until every run has ended."""
    wait_until(lambda: have_all_ended(books), "runs have not ended")


def have_all_ended(books: psycopg.Connection) -> bool:
    return books.execute("SELECT count(*) FROM runs_run WHERE ended_at IS NULL").fetchone() == (0,)


def count_waiting() -> int:
    """Return how many transactions wait for a budget's window."""
    with connect() as connection:
        row = connection.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'tuple'"
            " AND relation = 'runs_budgetwindow'::regclass"
        ).fetchone()
    return row[0] if row else 0
