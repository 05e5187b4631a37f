"""Connections outside the ORM, and what every process asks of both kinds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest
from django.db import connection

from agentops.database import Prepared, borrowed, connection_parameters, discard_broken, is_unreachable
from agentops.ledger.store import one_snapshot
from config.connections import NOTICED, connect_options

pytestmark = [pytest.mark.crash, pytest.mark.slow]

SERVED_BY = "SELECT pg_backend_pid()"
BOUND = "idle_in_transaction_session_timeout"


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


# --- two statements in one round trip ---------------------------------------------------------------------

SET = Prepared("SELECT set_config('lock_timeout', $1, true)")
TOLD = Prepared("SELECT current_setting('lock_timeout'), $1::text")


def test_two_statements_are_one_transaction_and_nothing_of_it_stays() -> None:
    with borrowed() as connection:
        assert TOLD.rows_after(connection, ["é"], SET, ["7s"]) == [("7s", "é")]
        assert TOLD.rows(connection, [None]) == [("0", None)]


@pytest.mark.parametrize("since", [(), ("first",), ("second",)], ids=["neither", "first", "second"])
def test_whichever_of_two_is_forgotten_is_prepared_again(since: tuple[str, ...]) -> None:
    known = {"first": (SET, "7s"), "second": (TOLD, "a")}
    with borrowed() as connection:
        TOLD.rows_after(connection, ["a"], SET, ["7s"])
        connection.execute("DEALLOCATE ALL")
        for name in since:
            statement, value = known[name]
            statement.rows(connection, [value])
        for _ in range(2):
            assert TOLD.rows_after(connection, ["a"], SET, ["7s"]) == [("7s", "a")]


@pytest.mark.parametrize("place", [0, 1])
def test_what_either_of_two_fails_with_is_raised_and_the_connection_goes_on(place: int) -> None:
    fails = Prepared("SELECT (1 / $1::int)::text")
    pair = [(SET, ["7s"]), (TOLD, ["a"])]
    pair[place] = (fails, ["0"])
    (first, before), (second, after) = pair
    with borrowed() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            second.rows_after(connection, after, first, before)
        assert TOLD.rows_after(connection, ["a"], SET, ["7s"]) == [("7s", "a")]


def test_a_connection_that_is_lost_between_two_is_known_as_lost() -> None:
    with borrowed() as connection:
        TOLD.rows_after(connection, ["a"], SET, ["7s"])
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        with pytest.raises(psycopg.OperationalError) as lost:
            TOLD.rows_after(connection, ["a"], SET, ["7s"])
    assert is_unreachable(lost.value)


def test_who_waits_for_two_keeps_nobody_from_the_interpreter() -> None:
    """The second sleeps until this thread has set it free, which it could not if that held the interpreter's lock."""
    locks = Prepared("SELECT pg_advisory_xact_lock($1::bigint)::text")
    with borrowed() as holder, borrowed() as waiter, ThreadPoolExecutor(1) as pool:
        holder.execute("SELECT pg_advisory_lock(4711)")
        waits = pool.submit(TOLD.rows_after, waiter, ["a"], locks, ["4711"])
        holder.execute("SELECT pg_advisory_unlock(4711)")
        assert waits.result(30) == [("0", "a")]


# --- what every process asks of its connections -----------------------------------------------------------


def test_a_host_that_vanishes_is_noticed_by_both_kinds_of_connections(transactional_db: None) -> None:
    connection.ensure_connection()
    with borrowed() as lent:
        for asked in (lent.info.get_parameters(), connection.connection.info.get_parameters()):
            assert {name: asked.get(name, "1") for name in NOTICED} == {
                "keepalives": "1",  # libpq's default, of which it does not tell
                "keepalives_idle": "5",
                "keepalives_interval": "2",
                "keepalives_count": "3",
                "tcp_user_timeout": "10000",
            }


def test_what_a_url_says_wins_and_then_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c idle_in_transaction_session_timeout=2h")
    given = {"keepalives": 0, "keepalives_idle": 30, "options": "-c idle_in_transaction_session_timeout=3h"}
    options = connect_options(given, lease_s=3600)
    assert (options["keepalives"], options["keepalives_idle"]) == (0, 30)
    url = os.environ["DATABASE_URL"]
    with psycopg.connect(url, **options) as asked:
        assert asked.execute(f"SHOW {BOUND}").fetchone() == ("3h",)
    with psycopg.connect(url, **connect_options({}, lease_s=3600)) as asked:
        assert asked.execute(f"SHOW {BOUND}").fetchone() == ("2h",)


def test_keepalives_that_a_url_turns_off_stay_off_for_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "keepalives", 0)
    assert connection_parameters()["keepalives"] == 0


ASK = f"""
import sys, django
from django.core import management
from django.db import connection
from agentops.database import borrowed

def ask(*_):
    django.setup()
    with connection.cursor() as cursor:
        cursor.execute("SHOW {BOUND}")
        print(cursor.fetchone()[0])
    with borrowed() as lent:
        print(lent.execute("SHOW {BOUND}").fetchone()[0])

management.execute_from_command_line = ask
"""
PROCESSES = {
    "web": "import config.asgi; ask()",
    "migrate": "sys.argv = ['manage.py', 'migrate']; import manage; manage.main()",
}


@pytest.mark.parametrize(("process", "bound"), [("web", "7s"), ("migrate", "0")])
def test_the_database_ends_transactions_that_rest_for_longer_than_a_lease_except_for_migrations(
    process: str, bound: str
) -> None:
    """In processes of their own, for tests may rest. Django takes its time between the statements of a migration."""
    asked = subprocess.run(
        [sys.executable, "-c", ASK + PROCESSES[process]],
        env={**os.environ, "LEASE_S": "7"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert asked.stdout.split() == [bound, bound], asked.stderr


@pytest.mark.django_db(transaction=True)
def test_who_reads_a_snapshot_may_take_their_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET {BOUND} = '1h'")
        with one_snapshot() as reading:
            reading.execute(f"SHOW {BOUND}")
            assert reading.fetchone() == ("0",)
        cursor.execute(f"SHOW {BOUND}")
        assert cursor.fetchone() == ("1h",), "nobody else may"
        cursor.execute(f"RESET {BOUND}")
