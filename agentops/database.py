"""Connections outside the ORM: one small pool per process, for statements that are a transaction of their own.

A thread borrows a connection for one statement and gives it back, so a thousand runs that wait for models
hold none.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error as OrmError
from django.db import connection as orm_connection
from django.db import transaction
from psycopg_pool import ConnectionPool

_CONNECT_KEYS = ("host", "port", "user", "password", "dbname", "options", "sslmode")
# What a server says that is going, starting, or full; one that is gone says nothing at all (no SQLSTATE).
_TURNED_AWAY = ("57P01", "57P02", "57P03", "53300")
_SETTLED = (
    "plan_cache_mode=force_generic_plan",
    "enable_seqscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
    "jit=off",
)
DEAD_AFTER_MS = 10_000
_pools: dict[int, ConnectionPool] = {}  # by process: a pool must not cross a fork
_opening = threading.Lock()


def connection_parameters() -> dict[str, Any]:
    """Return psycopg's keywords for the default database."""
    parameters = orm_connection.get_connection_params()
    return {key: parameters[key] for key in _CONNECT_KEYS if parameters.get(key)}


def _open_pool() -> ConnectionPool:
    parameters = connection_parameters()
    # Every statement here is prepared and looks up by keys: to plan it anew costs more than to run it, and a
    # plan made while its tables are small must not go on reading them whole when they have grown.
    settled = " ".join(f"-c {setting}" for setting in _SETTLED)
    options = f"{parameters.get('options', '')} {settled}".strip()
    pool: ConnectionPool = ConnectionPool(
        kwargs={
            **parameters,
            "options": options,
            "autocommit": True,
            "prepare_threshold": 1,
            "tcp_user_timeout": DEAD_AFTER_MS,  # a server that vanished without a word
        },
        min_size=1,
        max_size=settings.JOURNAL_POOL_SIZE,
        timeout=30,
        # Attempts come ever more rarely; after this long the next borrower starts them anew. Otherwise a server
        # that is back after a long time would be noticed after as long again.
        reconnect_timeout=5,
        name="journal",
        open=False,
    )
    pool.open()
    return pool


def pool() -> ConnectionPool:
    """Return this process's pool, opening it on first use."""
    process = os.getpid()
    if process not in _pools:
        with _opening:
            if process not in _pools:
                _pools[process] = _open_pool()
    return _pools[process]


def close_pool() -> None:
    """Close this process's pool; the next use opens another."""
    with _opening:
        found = _pools.pop(os.getpid(), None)
    if found is not None:
        found.close()


def is_unreachable(error: BaseException) -> bool:
    """Return whether an error says that there is no database to talk to, not that a statement went wrong."""
    cause = error.__cause__ if isinstance(error, OrmError) else error
    if not isinstance(cause, psycopg.OperationalError):
        return False
    state = cause.sqlstate
    return state is None or state.startswith("08") or state in _TURNED_AWAY


def discard_broken() -> None:
    """Drop this process's idle connections that a server took with it: each would fail one more statement."""
    orm_pool: ConnectionPool | None = orm_connection.pool  # type: ignore[attr-defined]  # of PostgreSQL only
    for each in (_pools.get(os.getpid()), orm_pool):
        if each is not None and not each.closed:
            each.check()


@contextmanager
def borrowed() -> Iterator[psycopg.Connection]:
    """Lend an autocommit connection for the statements in the block."""
    with pool().connection() as lent:
        yield lent


@contextmanager
def orm_section() -> Iterator[None]:
    """Run a transaction through the ORM in a worker thread, and give its connection back afterwards."""
    outermost = not orm_connection.in_atomic_block
    try:
        with transaction.atomic():
            yield
    finally:
        if outermost:
            orm_connection.close()
