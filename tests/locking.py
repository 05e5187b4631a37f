"""Locks that others hold: transactions that change nothing, as one that is rolled back does, or a frozen worker's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from django.db import connection

from tests.budget.watch import connect

PATIENCE_S = 30.0
RUN = "SELECT FROM runs_run WHERE id = %s FOR UPDATE"
WINDOW = "SELECT FROM runs_budgetwindow WHERE id = %s FOR UPDATE"
CAPS_OF_TOOL = "SELECT FROM tools_capusage WHERE tool_id = %s FOR UPDATE"
# Whoever comes second to a locked row waits for the first, and not for the holder.
_WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@contextmanager
def held(rows: LiteralString, value: Any) -> Iterator[psycopg.Connection[Any]]:
    """Lock rows for as long as the block lasts, or until the connection is rolled back."""
    with connect() as holder:
        holder.autocommit = False
        holder.execute(rows, (value,))
        yield holder
        holder.rollback()


def await_waiters(number: int = 1) -> None:
    """Return when so many wait for a lock in this database."""
    deadline = time.monotonic() + PATIENCE_S
    with connect() as onlooker:
        while onlooker.execute(_WAITING).fetchone() != (number,):
            assert time.monotonic() < deadline, "they do not wait"
            time.sleep(0.005)


def in_thread(act: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        act()
        connection.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def once_somebody_waits(holder: psycopg.Connection[Any], act: Callable[[], object]) -> threading.Thread:
    """Do something, and commit it, when somebody waits for the holder; then let go."""

    def change_and_let_go() -> None:
        await_waiters()
        act()
        holder.rollback()

    return in_thread(change_and_let_go)
