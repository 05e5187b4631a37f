"""A run with an entry that cannot be read: people still see the run, and no driver goes on behind the entry."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.db import DataError, connection

from agentops.ledger.store import read_entries, read_entries_for_people
from runs.api.events import _render
from runs.trace import read_trace
from tests.ledger.forging import as_application, as_owner
from tests.runs.company import Company, says

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("at", ["infinity", "-infinity", "0044-03-15 12:00+00 BC", "12026-11-22 12:00+00"])
def test_a_run_is_told_around_it(company: Company, at: str) -> None:
    run = company.run(says("Done."))
    rules = import_module("agentops.ledger.migrations.0002_readable_entries")
    with as_owner(triggers=True) as owner:
        owner.execute(rules.UNREADABLE)
    try:
        with as_application() as application:
            application.execute(
                "INSERT INTO ledger_entry SELECT stream, 99, 'step.decided', '{}', 'no JSON', NULL, NULL, hash, hash,"
                " %s, NULL FROM ledger_entry WHERE stream = %s AND seq = 1",
                [at, run.pk],
            )
        last = read_trace(run)[-1]
        with connection.cursor() as cursor:
            events = _render(read_entries_for_people(cursor, run.pk, contents=True))
            with pytest.raises(DataError):
                read_entries(cursor, run.pk)
    finally:
        with as_owner() as owner:
            owner.execute("DELETE FROM ledger_entry WHERE seq = 99")
        with as_owner(triggers=True) as owner:
            owner.execute(rules.READABLE)
    assert (last.seq, last.kind, last.facts) == (99, "entry.unreadable", {"kind": "step.decided"})
    assert events[-1]["kind"] == "entry.unreadable"
