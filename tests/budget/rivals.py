"""Connections that write at the same time: each acts in a thread, until it is done or waits for another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self, TypeVar

import psycopg

from tests.budget.watch import connect

T = TypeVar("T")
PATIENCE_S = 30.0
_WAITS = "SELECT cardinality(pg_blocking_pids(%s)) > 0"


class Rival:
    """One connection with a transaction of its own, and a thread to wait in."""

    def __init__(self) -> None:
        self.connection = connect()
        self.connection.autocommit = False
        self._thread = ThreadPoolExecutor(max_workers=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.cancel_safe()  # a test that failed may leave it waiting for another's lock
        self._thread.shutdown()
        self.connection.close()

    def begin(self, act: Callable[[psycopg.Cursor[Any]], T], onlooker: psycopg.Connection[Any]) -> Future[T]:
        """Act in a transaction that stays open; return when the act is done, or waits for somebody's lock."""

        def run() -> T:
            with self.connection.cursor() as cursor:
                return act(cursor)

        future = self._thread.submit(run)
        pid, deadline = self.connection.info.backend_pid, time.monotonic() + PATIENCE_S
        while not future.done() and not waits(onlooker, pid):
            assert time.monotonic() < deadline, "neither done nor waiting"
            time.sleep(0.001)
        return future

    def commit(self) -> None:
        self.connection.commit()

    def give_up(self) -> None:
        """Undo the transaction, as the server does when a client dies."""
        self.connection.rollback()


@contextmanager
def two_rivals() -> Iterator[tuple[Rival, Rival]]:
    with Rival() as one, Rival() as other:
        yield one, other


def waits(onlooker: psycopg.Connection[Any], pid: int) -> bool:
    """Return whether a backend waits for another's lock."""
    row = onlooker.execute(_WAITS, (pid,)).fetchone()
    return bool(row and row[0])
