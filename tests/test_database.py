"""Connections outside the ORM."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import psycopg
import pytest
from django.db import connection

from agentops.database import Prepared, borrowed, discard_broken, is_unreachable

SERVED_BY = "SELECT pg_backend_pid()"


def served_by() -> int:
    with borrowed() as lent:
        return int(lent.execute(SERVED_BY).fetchall()[0][0])


@pytest.mark.django_db(transaction=True)
def test_idle_connections_that_were_broken_are_not_lent_again() -> None:
    with ExitStack() as stack:
        lent = [stack.enter_context(borrowed()) for _ in range(3)]
        idle = [int(each.execute(SERVED_BY).fetchall()[0][0]) for each in lent]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 10000) FROM unnest(%s) AS pid", [idle])

    discard_broken()
    assert {served_by() for _ in idle}.isdisjoint(idle)


COUNTED = Prepared("SELECT upper($1::text), $2::text")


def test_a_prepared_statement_speaks_in_texts() -> None:
    with borrowed() as connection:
        assert COUNTED.rows(connection, ["é", None]) == [("É", None)]
        with connection.transaction():
            assert COUNTED.rows(connection, ["a", "b"]) == [("A", "b")]


def test_a_prepared_statement_outlives_what_psycopg_deallocates() -> None:
    """After a rollback it deallocates all, and not only what it has prepared itself."""
    with borrowed() as connection:
        COUNTED.rows(connection, ["a", None])
        connection.execute("DEALLOCATE ALL")
        assert COUNTED.rows(connection, ["a", None]) == [("A", None)]


def test_one_that_was_prepared_since_is_not_prepared_again() -> None:
    with borrowed() as connection:
        COUNTED.rows(connection, ["a", None])
        connection.execute("DEALLOCATE ALL")
        since = Prepared("SELECT 'since' || $1::text")
        since.rows(connection, ["a"])
        COUNTED.rows(connection, ["a", None])
        assert since.rows(connection, ["b"]) == [("sinceb",)]


def test_a_lost_connection_is_known_as_one() -> None:
    with borrowed() as connection:
        COUNTED.rows(connection, ["a", None])
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        with pytest.raises(psycopg.OperationalError) as lost:
            COUNTED.rows(connection, ["a", None])
    assert lost.value.sqlstate is None
    assert is_unreachable(lost.value)


def test_a_prepared_statement_raises_what_the_server_says() -> None:
    with borrowed() as connection, pytest.raises(psycopg.errors.DivisionByZero):
        Prepared("SELECT (1 / $1::int)::text").rows(connection, ["0"])
    with borrowed() as connection, pytest.raises(psycopg.errors.SyntaxError):
        Prepared("SELEC").rows(connection, [])
