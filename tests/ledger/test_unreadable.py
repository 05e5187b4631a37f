"""Entries that nobody can read: refused by the database, and named where they stand all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from agentops.ledger import standalone
from tests.cast import Cast
from tests.console.visits import sign_in
from tests.ledger.forging import as_application, as_owner, faults, verify, write_stream

pytestmark = pytest.mark.django_db(transaction=True)

DEEP = '{"a":' * 3_000 + "1" + "}" * 3_000
LEGIBLE_TO_PYTHON = '{"a":' * 500 + "1" + "}" * 500
NOW = "2026-11-22 12:00+00"
TIMES = ["infinity", "-infinity", "0044-03-15 12:00+00 BC", "12026-11-22 12:00+00"]
REFUSED = [*((at, "{}") for at in TIMES), (NOW, "1"), (NOW, "[]"), (NOW, json.dumps({"a": "b" * 65_536}))]
UNREADABLE = [*REFUSED[:-1], (NOW, '{"a":1e5000}'), (NOW, DEEP), (NOW, LEGIBLE_TO_PYTHON)]
INSERT = "INSERT INTO ledger_entry SELECT %s, %s, 'run.started', %s, 'no JSON', NULL, NULL, '\\x00', '\\x00', %s, NULL"


@pytest.fixture
def _without_the_rules() -> Iterator[None]:
    rules = import_module("agentops.ledger.migrations.0002_readable_entries")
    with as_owner(triggers=True) as owner:
        owner.execute(rules.UNREADABLE)
    yield
    with as_owner(triggers=True) as owner:
        owner.execute(rules.READABLE)


def insert(stream: Any, seq: int, at: str, facts: str) -> None:
    with as_application() as application:
        application.execute(INSERT, [stream, seq, facts, at])


@pytest.mark.parametrize(("at", "facts"), REFUSED, ids=range(len(REFUSED)))
def test_the_database_refuses_them(at: str, facts: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        insert(write_stream(1), 2, at, facts)


def test_the_rules_hold_in_months_to_come() -> None:
    with as_owner(triggers=True) as owner:
        owner.execute("SELECT ledger_ensure_partitions(13)")
        rules = (
            "SELECT count(DISTINCT conrelid) FROM pg_constraint WHERE conname = 'ledger_entry_at_readable'"
        )
        tables = "SELECT count(*) + 1 FROM pg_inherits WHERE inhparent = 'ledger_entry'::regclass"
        assert owner.execute(rules).fetchone() == owner.execute(tables).fetchone()
        owner.rollback()


@pytest.mark.usefixtures("_without_the_rules")
@pytest.mark.parametrize(("at", "facts"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_they_are_named_and_the_rest_is_verified(at: str, facts: str) -> None:
    first, stream, last = (write_stream(2) for _ in range(3))
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s AND seq = 2", [stream])
        owner.execute(
            "INSERT INTO ledger_entry SELECT stream, 2, 'x', %s, NULL, NULL, NULL, hash, hash, %s, NULL"
            " FROM ledger_entry WHERE stream = %s AND seq = 1",
            [facts, at, stream],
        )
    assert (verify().entries, faults()) == (6, [(stream, 2, "unreadable")])
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify", "--json", stdout=out)
    assert json.loads(out.getvalue())["faults"][0]["seq"] == 2
    out = StringIO()
    call_command("export_ledger", "--contents", stdout=out)
    report = standalone.verify(out.getvalue().splitlines())
    assert [(fault.stream, fault.seq, fault.code) for fault in report.faults] == [
        (str(stream), 2, "unreadable")
    ]
    assert verify(first, last).ok


@pytest.mark.usefixtures("_without_the_rules")
@pytest.mark.parametrize(("at", "facts"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_the_console_shows_where_they_stand(cast: Cast, at: str, facts: str) -> None:
    stream = write_stream(1)
    insert(stream, 2, at, facts)
    with as_owner() as owner:
        owner.execute("UPDATE ledger_stream SET head_seq = 2 WHERE id = %s", [stream])
    client = sign_in(cast.ada)
    for page in ("", f"?stream={stream}", f"{stream}/", f"{stream}/change/", f"{stream}/2/"):
        assert client.get(f"/admin/ledger/stream/{page}", follow=True).status_code == 200, page
