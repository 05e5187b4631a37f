"""A key that is known already: its recorded outcome counts, and no second effect is made."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from agentops.canonical import keyed_digest
from agentops.ledger.store import erase_contents
from approvals.models import ApprovalRequest
from runs.models import Run
from runs.services import answer_input
from runs.session import Session
from runs.window import Written
from tests.runs.company import ORDER, Company, proposes, says
from tools.models import CapUsage, EffectRecord

RECORDED = {"order": "A-1", "status": "delivered"}
QUESTION = ("ask_user", {"question": "Shall I?"})


def know_key(company: Company, run: Run, step: int, state: str, **changes: Any) -> None:  # Any: columns
    """Put an effect into the idempotency ledger as if the key of a step's refund had been used before."""
    EffectRecord.objects.create(
        key=f"{run.pk}:{step}:refund:1",
        identity=company.cast.agent,
        tool_version=next(version for version in company.versions if version.tool.name == "refund"),
        stream_id=run.pk,
        started_at=run.created_at,
        state=state,
        **{"args_digest": keyed_digest(["refund", ORDER]), **changes},
    )


@pytest.fixture
def halfway(company: Company) -> Run:
    """Return a run with a recorded outcome that waits for its user; it refunds next, in step 3."""
    company.add_reads()
    cap = {"per": "run", "count": 1}
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=[cap])
    turns = [proposes(("look_up", ORDER)), proposes(QUESTION), proposes(("refund", ORDER)), says("Done.")]
    return company.run(*turns)


def know_outcome(company: Company, run: Run) -> None:
    (seq,) = [entry.seq for entry in company.entries(run) if entry.kind == "call.succeeded"]
    know_key(company, run, 3, "succeeded", outcome_seq=seq)


def answer(company: Company, run: Run) -> Run:
    """Let the run go on; what only it remembers of its first drive is not there any more."""
    return company.drive(answer_input(actor=company.cast.alice, run=run, text="Yes."))


def test_a_known_key_returns_the_recorded_outcome(company: Company, halfway: Run) -> None:
    know_outcome(company, halfway)
    run = answer(company, halfway)
    assert (run.state, company.states(run)[-1]) == ("completed", ("succeeded", "replayed"))
    assert company.observations()[-1] == RECORDED
    assert (company.world.attempts, company.world.effects) == (["look_up"], [])
    assert (company.calls(run)[-1].attempts, CapUsage.objects.count()) == (0, 0)
    told = company.facts(run, "call.succeeded")
    assert told[-1]["size"] == told[0]["size"] > 0, "it takes as much of the model's window again"


def test_a_child_s_answer_is_believed_no_more_when_it_is_said_again(
    company: Company, halfway: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_outcome(company, halfway)
    entry = Session.entry

    def as_a_child_s(session: Session, seq: int) -> Written:
        written = entry(session, seq)
        return written._replace(facts={**written.facts, "tainted": True, "sensitive": True})

    monkeypatch.setattr(Session, "entry", as_a_child_s)
    told = company.facts(answer(company, halfway), "call.succeeded")[-1]
    assert (told["code"], told["tainted"], told["sensitive"]) == ("replayed", True, True)


def test_an_erased_outcome_is_told_as_erased(company: Company, halfway: Run) -> None:
    know_outcome(company, halfway)
    with connection.cursor() as cursor:
        erase_contents(cursor, halfway.pk)
    run = answer(company, halfway)
    assert (run.state, company.states(run)[-1]) == ("completed", ("succeeded", "replayed"))
    assert company.observations()[-1] == "[erased]"
    assert company.content(run, "call.succeeded") is None
    assert company.facts(run, "call.succeeded")[-1]["size"] == len("[erased]")


def test_a_key_whose_effect_failed_is_tried_again(company: Company, halfway: Run) -> None:
    know_key(company, halfway, 3, "failed")
    run = answer(company, halfway)
    assert company.states(run)[-1] == ("succeeded", "ok")
    assert company.world.effects == [f"{run.pk}:3:refund:1"]
    assert EffectRecord.objects.get().state == "succeeded"


def test_a_key_that_was_used_with_other_arguments_is_an_error(company: Company, halfway: Run) -> None:
    know_key(company, halfway, 3, "succeeded", args_digest="0" * 64)
    run = answer(company, halfway)
    assert company.states(run)[-1] == ("refused", "key_reused")
    assert company.world.attempts == ["look_up"]


def test_nobody_is_asked_about_what_has_been_done(company: Company) -> None:
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    know_key(company, run, 1, "succeeded", outcome_seq=1)
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "replayed")])
    assert (ApprovalRequest.objects.count(), company.world.attempts) == (0, [])


def test_an_approval_is_not_spent_on_what_has_been_done(company: Company) -> None:
    version = company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    request = company.decide()
    know_key(company, run, 1, "succeeded", outcome_seq=1)
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "replayed")])
    request.refresh_from_db()
    assert (request.state, request.consumed_at, company.world.attempts) == ("approved", None, [])
