"""A run with an entry that cannot be read: people still see the run, and no driver goes on behind the entry."""

from __future__ import annotations

from importlib import import_module
from uuid import UUID

import pytest
from django.db import DataError, connection

from agentops.ledger.decoding import note_unreadable
from agentops.ledger.store import read_contents, read_entries, read_entries_for_people
from approvals.models import ApprovalRequest
from runs.api.events import _render
from runs.trace import read_trace
from tests.api.conftest import Callers, callers, keys
from tests.console.visits import page_of, sign_in, text_of
from tests.ledger.forging import as_application, as_owner
from tests.runs.company import ORDER, Company, proposes, says

__all__ = ["callers", "keys"]  # of the API

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


NO_WORDS = [
    "no JSON",
    "",
    "NaN",
    '{"text": "\\ud800"}',
    '{"a":' * 3_000 + "1" + "}" * 3_000,
    '{"answer": 1e999}',
]


def spoil(company: Company, stream: UUID, words: str) -> None:
    """Write over every word of a stream, as somebody with the owner's rights could."""
    company.is_mutant = True  # what was written no longer fits its digest
    with as_owner() as owner:
        owner.execute("UPDATE ledger_entry SET content = %s WHERE stream = %s", [words, stream])


@pytest.mark.parametrize("words", NO_WORDS, ids=range(len(NO_WORDS)))
def test_spoilt_words_are_told_in_their_place(company: Company, callers: Callers, words: str) -> None:
    company.add_reads()
    run = company.run(proposes(("look_up", ORDER), text="I look it up."), says("It is on its way."))
    spoil(company, run.pk, words)
    first, last = (item.seq for item in (read_trace(run)[0], read_trace(run)[-1]))
    seqs = {item.kind: item.seq for item in read_trace(run)}
    step = callers.app.get(f"/runs/{run.pk}/steps").body["data"][0]
    decided = min(item.seq for item in read_trace(run) if item.kind == "step.decided")
    assert step["text"] == step["thought"] == f"unreadable content at entry {decided}"
    assert step["calls"][0]["arguments"] == note_unreadable(decided)
    assert step["calls"][0]["outcome"] == note_unreadable(seqs["call.succeeded"])
    shown = callers.app.get(f"/runs/{run.pk}").body
    assert (shown["answer"], shown["summary"]) == (f"unreadable content at entry {last}", None)
    for path in ("trace", "events"):
        told = callers.app.get(f"/runs/{run.pk}/{path}?limit=100").body["data"]
        assert (told[0]["content"], told[-1]["content"]) == (note_unreadable(first), note_unreadable(last))
    page = text_of(sign_in(company.cast.bob).get(page_of("runs_run", "change", run.pk)))
    for seq in (first, decided, seqs["call.succeeded"], last):
        assert f"Unreadable content at entry {seq}." in page


def test_spoilt_words_of_a_handover(company: Company, callers: Callers) -> None:
    company.add_reads()
    run = company.run(proposes(("hand_over", {"reason": "They are angry."})), says("Done."))
    spoil(company, run.pk, "no JSON")
    (handover,) = callers.alice.get("/handovers").body["data"]
    assert handover["reason"].startswith("unreadable content at entry ")
    client = sign_in(company.cast.alice)
    for path in (page_of("runs_run", "change", run.pk), page_of("runs_handover", "changelist"), "/admin/"):
        assert "nreadable content at entry" in text_of(client.get(path)), path


def test_spoilt_words_of_an_approval(company: Company, callers: Callers) -> None:
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    company.run(proposes(("refund", {**ORDER, "amount": "5.00"})), says("Done."))
    asked = ApprovalRequest.objects.get()
    spoil(company, asked.pk, "no JSON")
    assert callers.fiona.get(f"/approvals/{asked.pk}").body["evidence"] == note_unreadable(1)
    page = sign_in(company.cast.fiona).get(page_of("approvals_approvalrequest", "change", asked.pk))
    assert "Unreadable content at entry 1." in text_of(page)


def test_nothing_is_done_on_words_that_cannot_be_read(company: Company) -> None:
    run = company.run(says("Done."))
    spoil(company, run.pk, "no JSON")
    with connection.cursor() as cursor, pytest.raises(ValueError, match="Expecting value"):
        read_contents(cursor, run.pk, [1])
