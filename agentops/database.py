"""Connections outside the ORM: one small pool per process, for statements that are a transaction of their own.

A thread borrows a connection for one statement and gives it back, so a thousand runs that wait for models
hold none.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import psycopg
from django.conf import settings
from django.db import Error as OrmError
from django.db import connection as orm_connection
from django.db import transaction
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg_pool import ConnectionPool

_CONNECT_KEYS = (
    "host", "port", "user", "password", "dbname", "options", "sslmode", "keepalives", "keepalives_idle",
    "keepalives_interval", "keepalives_count", "tcp_user_timeout",
)  # fmt: skip
# What a server says that is going, starting, or full; one that is gone says nothing at all (no SQLSTATE).
_TURNED_AWAY = ("57P01", "57P02", "57P03", "53300")
_SETTLED = (
    "plan_cache_mode=force_generic_plan",
    "enable_seqscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
    "jit=off",
)
_FORGOTTEN = b"26000"  # there is no prepared statement of this name
Values = list[bytes | None]


class JournalConnection(psycopg.Connection[Any]):
    """A connection of the journal's pool, and the statements that are prepared on it beside psycopg's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: psycopg's own
        super().__init__(*args, **kwargs)
        self.prepared: set[bytes] = set()


class Prepared:
    """A statement of the hot path: texts in, texts out, numbered placeholders.

    Where it is a transaction of its own libpq alone executes it. To adapt, poll and convert in Python takes three
    times as long as that, for each of the three statements that a step takes.
    """

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._name = sha256(sql.encode()).hexdigest()[:32].encode()

    def rows(
        self, connection: psycopg.Connection[Any], parameters: Sequence[str | None]
    ) -> list[tuple[Any, ...]]:
        """Return the rows, whose columns must all be texts. Raises what psycopg raises."""
        if isinstance(connection, JournalConnection) and _is_idle(connection):
            return _read_rows(self._execute(connection, parameters))
        return psycopg.RawCursor(connection).execute(self.sql, parameters).fetchall()

    def rows_after(
        self,
        connection: JournalConnection,
        parameters: Sequence[str | None],
        first: Prepared,
        first_parameters: Sequence[str | None],
    ) -> list[tuple[Any, ...]]:
        """Execute another statement first, in one transaction and one round trip; return this one's rows.

        This one sees what the first has waited for. Locks that it took are held no longer than the server works:
        a client that had to be heard in between might itself be waiting, for its interpreter. Nobody else may be
        in a transaction on the connection. Raises what psycopg raises, and nothing is done then.
        """
        both = (first, _encode(first_parameters)), (self, _encode(parameters))
        results = _execute_together(connection, both)
        # One may be forgotten and not the other, and what follows a forgotten one was not even looked for.
        for _ in both:
            gone = {each._name for (each, _), told in zip(both, results, strict=True) if _is_forgotten(told)}
            if gone:
                connection.prepared -= gone
                results = _execute_together(connection, both)
        for result in results:
            if result.status != ExecStatus.TUPLES_OK:
                raise _error_of(result)
        return _read_rows(results[-1])

    def _execute(self, connection: JournalConnection, parameters: Sequence[str | None]) -> PGresult:
        values = _encode(parameters)
        result = self._execute_prepared(connection, values)
        # After a rollback psycopg deallocates all; forget this one only, for others may have been prepared since.
        if _is_forgotten(result):
            connection.prepared.discard(self._name)
            result = self._execute_prepared(connection, values)
        if result.status != ExecStatus.TUPLES_OK:
            raise _error_of(result)
        return result

    def _execute_prepared(self, connection: JournalConnection, values: Values) -> PGresult:
        self.prepare(connection)
        return connection.pgconn.exec_prepared(self._name, values)  # type: ignore[arg-type]  # None is NULL

    def prepare(self, connection: JournalConnection) -> None:
        """Prepare the statement on a connection where it is not yet."""
        if self._name not in connection.prepared:
            prepared = connection.pgconn.prepare(self._name, self.sql.encode())
            if prepared.status != ExecStatus.COMMAND_OK:
                raise _error_of(prepared)
            connection.prepared.add(self._name)

    def send(self, connection: JournalConnection, values: Values) -> None:
        """Send the prepared statement off, in pipeline mode."""
        connection.pgconn.send_query_prepared(self._name, values)


def _encode(parameters: Sequence[str | None]) -> Values:
    return [None if value is None else value.encode() for value in parameters]


def _execute_together(
    connection: JournalConnection, statements: Sequence[tuple[Prepared, Values]]
) -> list[PGresult]:
    """Execute statements in one pipeline, which PostgreSQL makes one transaction of; return a result of each."""
    server = connection.pgconn
    for statement, _ in statements:
        statement.prepare(connection)
    server.enter_pipeline_mode()
    try:
        for statement, values in statements:
            statement.send(connection, values)
        server.pipeline_sync()
        return [_read_result(server) for _ in (*statements, "sync")][:-1]
    finally:
        if server.status == ConnStatus.OK:
            server.exit_pipeline_mode()


def _read_result(server: PGconn) -> PGresult:
    """Wait for the next result without the interpreter's lock, which libpq's own waiting would keep."""
    ready = select.poll()
    while True:
        while server.is_busy():
            ready.register(server.socket, select.POLLIN | (select.POLLOUT if server.flush() else 0))
            ready.poll()
            server.consume_input()
        if (found := server.get_result()) is not None:  # there is none between the results of two statements
            return found


def _is_forgotten(result: PGresult) -> bool:
    return result.error_field(DiagnosticField.SQLSTATE) == _FORGOTTEN


def _error_of(result: PGresult) -> psycopg.Error:
    """Return what psycopg would raise: where the server said nothing, it is the connection that is lost."""
    if not result.error_field(DiagnosticField.SQLSTATE):
        return psycopg.OperationalError(result.error_message.decode(errors="replace").strip())
    return error_from_result(result)


def _is_idle(connection: JournalConnection) -> bool:
    return connection.pgconn.transaction_status == TransactionStatus.IDLE


def _read_rows(result: PGresult) -> list[tuple[Any, ...]]:
    columns = range(result.nfields)
    return [
        tuple(
            None if (value := result.get_value(row, column)) is None else value.decode() for column in columns
        )
        for row in range(result.ntuples)
    ]


_pools: dict[int, ConnectionPool[JournalConnection]] = {}  # by process: a pool must not cross a fork
_opening = threading.Lock()


def connection_parameters() -> dict[str, Any]:
    """Return psycopg's keywords for the default database."""
    parameters = orm_connection.get_connection_params()
    return {key: parameters[key] for key in _CONNECT_KEYS if parameters.get(key) not in (None, "")}


def _open_pool() -> ConnectionPool[JournalConnection]:
    parameters = connection_parameters()
    # Every statement here is prepared and looks up by keys: to plan it anew costs more than to run it, and a
    # plan made while its tables are small must not go on reading them whole when they have grown.
    settled = " ".join(f"-c {setting}" for setting in _SETTLED)
    pool = ConnectionPool(
        connection_class=JournalConnection,
        kwargs={
            **parameters,
            "options": f"{parameters.get('options', '')} {settled}".strip(),
            "autocommit": True,
            "prepare_threshold": 1,
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


def pool() -> ConnectionPool[JournalConnection]:
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


class borrowed:
    """Lend an autocommit connection for the statements in the block: a function in all but its speed."""

    __slots__ = ("_connection", "_pool")

    def __enter__(self) -> JournalConnection:
        self._pool = pool()
        self._connection = self._pool.getconn()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._pool.putconn(self._connection)


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
