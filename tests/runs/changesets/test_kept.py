"""Change sets are rows made from a stream, and words that can be erased."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from runs import erasure, rebuild
from runs.changesets.forms import RunForm
from runs.changesets.reviewing import apply_changes
from runs.erasure import erase_principal, erase_run
from runs.models import ChangeItem, ChangeSet, Run
from runs.rebuild import rebuild_run
from runs.services import add_message, kill_run
from tests.rewriting import rewrite_text
from tests.runs.changesets.proposing import (
    MAIL,
    REFUND,
    carry_out,
    comment,
    offered,
    prepare,
    propose,
    review,
)
from tests.runs.company import Company, proposes, rows_of, says
from tests.runs.previews import show_refunds
from tests.runs.test_erasure import CANARY, allow_alice, dump

REFUND_5 = ("refund", {"order_id": "A-1", "amount": "5.00"})
LETTER: dict[str, Any] = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "text": {"type": "string"}},
}


# --- built anew --------------------------------------------------------------------------------------------


def two_rounds(company: Company) -> ChangeSet:
    """Have a set sent back, and the next one offered: items about the same account, which shows what they change."""
    show_refunds(company)
    prepare_mail(company)
    first = propose(company, REFUND_5, MAIL)
    comment(company, first)
    company.play(proposes(REFUND_5), proposes(REFUND_5), says("Twice."))
    company.drive(first.run)
    return offered(first.run)


def prepare_mail(company: Company) -> None:
    version = company.add_tool("send_email", input_schema=LETTER)
    company.let_decide(version.tool)


def damage(change_set: ChangeSet) -> None:
    """Lose an item, and have the rows say what is not so."""
    ChangeItem.objects.filter(change_set=change_set, number=2).delete()
    rows = ChangeSet.objects.filter(run=change_set.run)
    rows.update(state="declined", digest="", size=9, worst_effect="read", offered_at=None)
    ChangeItem.objects.filter(change_set=change_set, number=1).update(seq=1, depends_on=[7], targets=[])


def test_rows_that_were_lost_or_damaged_are_built_from_the_ledger(company: Company) -> None:
    made = two_rounds(company)
    before = rows_of(made.run)
    assert [row["version"] for row in before if row["table"] == "change set"] == [1, 2]
    [item] = ChangeItem.objects.filter(change_set=made, number=2)
    assert (item.depends_on, len(item.targets)) == ([1], 1)
    damage(made)
    assert rows_of(made.run) != before
    rebuild_run(made.run_id)
    assert rows_of(made.run) == before


def test_without_that_they_stay_as_they_are(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.is_mutant = True
    made = two_rounds(company)
    before = rows_of(made.run)
    damage(made)
    monkeypatch.setattr(rebuild, "rebuild_changes", lambda cursor, run: None)
    rebuild_run(made.run_id)
    assert rows_of(made.run) != before


def settle(company: Company, made: ChangeSet, how: str) -> None:
    """End the review of a change set in one of the ways there are."""
    if how in ("applied", "declined"):
        verdict = "approve" if how == "applied" else "deny"
        review(company, made, verdicts={1: verdict, 2: "deny"})
        apply_changes(actor=company.cast.fiona, change_set=made, digest=made.digest)
    elif how == "superseded":
        add_message(actor=company.cast.application.service_account, run=made.run, text="Wait.")
        company.play(says("Nothing then."))
    else:
        kill_run(actor=company.cast.ada, run=made.run)
    company.drive(made.run)


@pytest.mark.parametrize("how", ["applied", "declined", "superseded", "voided"])
def test_so_is_how_it_ended_and_by_whom(company: Company, how: str) -> None:
    prepare(company)
    made = propose(company, REFUND, MAIL)
    settle(company, made, how)
    made.refresh_from_db()
    assert made.state == how
    before = rows_of(made.run)
    ChangeSet.objects.filter(pk=made.pk).update(state="offered", settled_at=None, settled_by=None)
    rebuild_run(made.run_id)
    assert rows_of(made.run) == before
    built = ChangeSet.objects.get(pk=made.pk)
    assert built.settled_at
    assert made.settled_at
    assert abs(built.settled_at - made.settled_at).total_seconds() < 5


# --- erased ------------------------------------------------------------------------------------------------


def say_it_all(company: Company) -> tuple[Run, Run]:
    """Have everybody who has a word in it say the canary; return the run that proposed and the one that applied."""
    prepare(company)
    letter = ("send_email", {"to": "ann@shop.example", "text": f"Dear {CANARY}"})
    refund = ("refund", {"order_id": CANARY})
    form = RunForm([f"{CANARY} is happy"], [f"not beyond {CANARY}"])
    first = propose(company, refund, letter, message=f"I am {CANARY}.", form=form)
    comment(company, first, comments={0: f"Not for {CANARY}.", 2: f"Call it {CANARY}."})
    company.play(proposes(refund, text=f"For {CANARY}."), proposes(letter), says(f"{CANARY} gets it."))
    company.drive(first.run)
    second = offered(first.run)
    review(company, second, verdicts={1: "approve"}, reason=f"{CANARY} is right")
    review(company, second, verdicts={2: "deny"}, reason=f"{CANARY} needs no letter")
    applied = carry_out(company, second)
    return company.drive(first.run), applied


def test_erasing_both_runs_leaves_no_word_of_a_change_set_anywhere(company: Company) -> None:
    proposed, applied = say_it_all(company)
    allow_alice(company)
    assert dump().count(CANARY) > 20
    for run in (proposed, applied):
        assert erase_run(actor=company.cast.alice, run=run, reason="asked for it") > 0
    assert dump().count(CANARY) == 0
    rebuild_run(proposed.pk)


def test_so_does_erasing_the_person(company: Company) -> None:
    proposed, _ = say_it_all(company)
    allow_alice(company)
    erase_principal(actor=company.cast.alice, principal=proposed.principal, reason="asked for it")
    assert dump().count(CANARY) == 0


def test_without_looking_at_items_what_people_were_shown_would_stay(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [line for line in erasure._STREAMS.splitlines() if "runs_change_item" in line]
    rewrite_text(monkeypatch, erasure, "_STREAMS", items[0], "")
    proposed, applied = say_it_all(company)
    allow_alice(company)
    for run in (proposed, applied):
        erase_run(actor=company.cast.alice, run=run, reason="asked for it")
    assert dump().count(CANARY) > 0


def test_what_was_erased_before_it_was_carried_out_is_not(company: Company) -> None:
    prepare(company)
    made = propose(company)
    review(company, made)
    apply_changes(actor=company.cast.fiona, change_set=made, digest=made.digest)
    company.drive(made.run)
    allow_alice(company)
    erase_run(actor=company.cast.alice, run=made.run, reason="asked for it")
    applied = company.drive(Run.objects.get(pk=made.pk))
    assert company.states(applied) == [("refused", "malformed_arguments")] * 2
    assert (applied.state, company.world.attempts) == ("completed", [])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM tools_effectrecord")
        assert cursor.fetchone() == (0,)
