"""Runs of a type of task, really driven, and judged once after their end by what their records say."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.runtime.pytest_databases import CLEANER_URL
from runs.erasure import erase_run
from runs.fulfilment import judging
from runs.fulfilment.judging import ERASED, UNREADABLE, judge_ended
from runs.models import Fulfilment, Run, RunMode
from runs.rebuild import rebuild_run
from runs.services import cancel_run, settle_outcome
from runs.tasks import judge
from tests.ledger.forging import as_owner
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import SUBJECT, Company, proposes, says
from tests.runs.deeds import lose_reply, refuse
from tests.runs.fulfilment.refunds import REFUND
from tests.runs.lookups.shop import BLUE, RESOLVED, cancels
from tests.runs.planner.provider import Turn
from tests.runs.test_edits import HIGH, LOW, add_refund, edit

A, B = {"order_id": "A-1"}, {"order_id": "B-2"}
LOOKS, PAYS, ANSWERS = proposes(("look_up", A)), proposes(("refund", A)), says("You get it back.")


def go(company: Company, *turns: Turn, task: str = "refund", **more: Any) -> Run:
    company.play(*turns)
    return company.drive(company.start(task=task, **more))


def judged(run: Run) -> Fulfilment:
    judge_ended(timezone.now())
    return Fulfilment.objects.get(run=run)


def failed(row: Fulfilment) -> list[int]:
    return [place for place, check in enumerate(row.checks) if not check["passed"]]


@pytest.mark.parametrize(
    ("turns", "fails"),
    [
        ([LOOKS, PAYS, ANSWERS], []),
        ([LOOKS, ANSWERS], [0, 1]),
        ([PAYS, LOOKS, ANSWERS], [0]),  # before it knew the order
        ([LOOKS, proposes(("refund", B)), ANSWERS], [0]),  # another order's
        ([LOOKS, PAYS, proposes(("refund", B)), ANSWERS], [1]),  # and one too many
        ([LOOKS, PAYS, PAYS, ANSWERS], [0, 1]),
    ],
    ids=["well", "not_done", "unread", "another_order", "one_too_many", "twice"],
)
def test_a_run_is_judged_by_what_was_done(refunds: Company, turns: list[Turn], fails: list[int]) -> None:
    run = go(refunds, *turns)
    assert run.state == "completed"
    row = judged(run)
    assert (row.fulfilled, failed(row)) == (not fails, fails)
    assert (row.task, row.rules, row.why_unknown) == ("refund", 1, "")


def test_a_failed_call_was_not_carried_out(refunds: Company) -> None:
    refunds.world.mishaps.append(refuse)
    row = judged(go(refunds, proposes(("refund", A)), ANSWERS))
    assert failed(row) == [0, 1]
    assert row.checks[1]["said"] == "refund is carried out exactly once; it was not"


def test_a_run_that_is_still_going_is_not_judged_and_each_only_once(refunds: Company) -> None:
    refunds.play(LOOKS, PAYS, ANSWERS)
    run = refunds.start(task="refund")
    assert judged(run).judged_at is None
    refunds.drive(run)
    assert judge() == 1
    first = Fulfilment.objects.get(run=run).judged_at
    assert judge() == 0
    assert Fulfilment.objects.get(run=run).judged_at == first


def test_a_cancelled_run_did_not_do_it(refunds: Company) -> None:
    run = refunds.start(task="refund")
    cancel_run(actor=refunds.cast.application.service_account, run=run)
    row = judged(refunds.drive(run))
    assert failed(row) == [0, 1, 2, 3]
    assert row.checks[2]["said"] == "it ends as completed; it ended as cancelled"


def test_a_call_in_doubt_is_waited_for(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund", idempotency="none", on_unknown="halt")
    company.publish(tasks=[{"name": "refund", "fulfilled_when": [{"called": "refund", "times": 1}]}])
    company.world.mishaps.append(lose_reply)
    run = go(company, PAYS, ANSWERS)
    assert run.status_reason == "outcome_unknown"
    assert judged(run).judged_at is None
    settle_outcome(
        actor=company.cast.alice, run=run, step=1, call=1, happened=True, note="It is on the account."
    )
    assert judged(run).fulfilled is True


def test_what_was_looked_up_is_what_went_out(shop: Company) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    check = {"called": "cancel", "times": 1, "with": [{"at": "/order_id", "is": "A-1"}]}
    shop.publish(tasks=[{"name": "cancel", "fulfilled_when": [check]}])
    run = go(shop, cancels(BLUE), says("Done."), task="cancel", message="Please cancel the blue kettle.")
    assert judged(run).fulfilled is True


def test_what_a_person_edited_is_what_went_out(company: Company) -> None:
    add_refund(company)
    called = {"called": "refund", "times": 1, "with": [{"at": "/amount", "is": LOW["amount"]}]}
    company.publish(tasks=[{"name": "refund", "fulfilled_when": [called]}])
    run = go(company, proposes(("refund", HIGH)), ANSWERS)
    edit(company, LOW)
    assert judged(company.drive(run)).fulfilled is True


def test_what_the_user_named_counts_from_all_of_their_words(refunds: Company) -> None:
    check = {"called": "refund", "with": [{"at": "/order_id", "from": "words"}]}
    refunds.published.identity.versions.update(state="retired")  # type: ignore[union-attr]  # the fixture has published
    refunds.publish(price=False, number=2, tasks=[{"name": "refund", "fulfilled_when": [check]}])
    assert judged(go(refunds, PAYS, ANSWERS, message="Money back for a-1!")).fulfilled is True
    assert (
        judged(go(refunds, PAYS, ANSWERS, message="Money back!", subject=f"{SUBJECT}-2")).fulfilled is False
    )


def test_a_refund_that_was_refused_as_a_second_one_is_none(refunds: Company) -> None:
    refunds.add_tool("refund_once", function="refund", dedupe_on=["order_id"])
    refunds.published.identity.versions.update(state="retired")  # type: ignore[union-attr]  # as above
    check = {"called": "refund_once", "times": 1}
    refunds.publish(price=False, number=2, tasks=[{"name": "refund", "fulfilled_when": [check]}])
    pays = proposes(("refund_once", A))
    run = go(refunds, pays, pays, ANSWERS)
    assert refunds.states(run) == [("succeeded", "ok"), ("refused", "duplicate_effect")]
    assert judged(run).fulfilled is True


# --- what a run can be started with -------------------------------------------------------------------------------


def test_a_task_that_is_not_declared_is_refused(refunds: Company) -> None:
    with pytest.raises(ValidationFailed, match="version 1 does not declare it; it declares: refund"):
        refunds.start(task="cancel")
    assert not Run.objects.exists()


def test_without_a_task_nothing_is_judged(refunds: Company) -> None:
    run = go(refunds, ANSWERS, task="")
    assert run.task == ""
    assert not Fulfilment.objects.exists()
    assert "task" not in refunds.facts(run, "run.started")[0]


def test_the_record_says_of_which_task_it_was(refunds: Company) -> None:
    run = refunds.start(task="refund")
    assert refunds.facts(run, "run.started")[0]["task"] == "refund"


def test_a_run_that_proposes_has_no_task(refunds: Company) -> None:
    with pytest.raises(ValidationFailed, match="carries nothing out"):
        refunds.start(task="refund", mode=RunMode.PROPOSE)


# --- what is left of it -------------------------------------------------------------------------------------------


def erase(company: Company, run: Run) -> None:
    company.cast.alice.user_permissions.add(Permission.objects.get(codename="erase_content"))
    erase_run(actor=company.cast.alice, run=run, reason="asked for")


def test_erased_before_it_was_judged_nobody_can_tell(refunds: Company) -> None:
    run = go(refunds, LOOKS, PAYS, ANSWERS)
    erase(refunds, run)
    row = judged(run)
    assert (row.fulfilled, row.why_unknown, row.checks) == (None, ERASED, [])
    assert row.judged_at is not None


def test_a_verdict_stays_when_the_words_go_and_the_rows_are_built_anew(refunds: Company) -> None:
    run = go(refunds, LOOKS, PAYS, ANSWERS)
    row = judged(run)
    assert "A-1" not in str(row.checks)
    erase(refunds, run)
    rebuild_run(run.pk)
    assert judged(run).fulfilled is True


def test_rows_that_are_built_anew_are_judged_anew(refunds: Company) -> None:
    run = go(refunds, LOOKS, PAYS, ANSWERS)
    first = judged(run)
    Fulfilment.objects.filter(run=run).update(fulfilled=False)
    rebuild_run(run.pk)
    assert Fulfilment.objects.get(run=run).judged_at is None
    again = judged(run)
    assert (again.fulfilled, again.checks) == (True, first.checks)


@pytest.mark.parametrize(
    "words", ["no JSON", "[1]", '{"calls": 7}', '{"calls": [{}]}', '{"a":' * 3_000 + "1" + "}" * 3_000]
)
def test_a_record_that_cannot_be_read_keeps_no_other_run_waiting(refunds: Company, words: str) -> None:
    one, other = go(refunds, LOOKS, PAYS, ANSWERS), go(refunds, LOOKS, PAYS, ANSWERS, subject="customer-2")
    refunds.is_mutant = True  # chains do not fit any more
    with as_owner() as owner:
        decided = "UPDATE ledger_entry SET content = %s WHERE stream = %s AND kind = 'step.decided'"
        owner.execute(decided, (words, one.pk))
    assert judge_ended(timezone.now()) == 2
    assert Fulfilment.objects.get(run=one).why_unknown == UNREADABLE
    assert Fulfilment.objects.get(run=other).fulfilled is True


def test_a_version_that_lost_its_tasks_keeps_no_other_run_waiting(refunds: Company) -> None:
    one = go(refunds, LOOKS, PAYS, ANSWERS)
    with psycopg.connect(os.environ[CLEANER_URL]) as owner:
        owner.execute("ALTER TABLE runs_agentversion DISABLE TRIGGER USER")
        owner.execute("UPDATE runs_agentversion SET tasks = '[]', state = 'retired'")
        owner.execute("ALTER TABLE runs_agentversion ENABLE TRIGGER USER")
    refunds.publish(price=False, number=2, tasks=[REFUND])
    other = go(refunds, LOOKS, PAYS, ANSWERS, subject="customer-2")
    assert judge_ended(timezone.now()) == 1
    assert Fulfilment.objects.get(run=one).judged_at is None
    assert Fulfilment.objects.get(run=other).fulfilled is True


def test_the_database_holds_no_verdict_without_a_moment(refunds: Company) -> None:
    refunds.start(task="refund")
    with pytest.raises(IntegrityError), transaction.atomic():
        Fulfilment.objects.update(fulfilled=True)


# --- without the guards -------------------------------------------------------------------------------------------


def test_without_the_question_what_is_in_doubt_it_would_be_judged_too_early(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_text(
        monkeypatch, judging, "_DUE", """ AND NOT r.required_actions @> '[{"type": "outcome"}]'""", ""
    )
    with pytest.raises(AssertionError):
        test_a_call_in_doubt_is_waited_for(company)


def test_without_the_look_at_erasures_it_would_seem_undone(
    refunds: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(monkeypatch, judging, "_judge_run", "if are_words_erased(cursor, run.pk):", "if False:")
    with pytest.raises(AssertionError):
        test_erased_before_it_was_judged_nobody_can_tell(refunds)


def test_statements_do_not_grow_with_the_run(refunds: Company) -> None:
    counts = []
    for subject, turns in (("c-1", [LOOKS, PAYS, ANSWERS]), ("c-2", [LOOKS] * 2 + [PAYS] * 4 + [ANSWERS])):
        go(refunds, *turns, subject=subject)
        with CaptureQueriesContext(connection) as captured:
            judge_ended(timezone.now())
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_without_a_try_for_each_one_would_keep_all_waiting(
    refunds: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "_judge_apart", judging._judge_run)
    with pytest.raises(RuntimeError, match="StopIteration"):
        test_a_version_that_lost_its_tasks_keeps_no_other_run_waiting(refunds)
