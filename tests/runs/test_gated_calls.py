"""Calls that wait for a person's decision, through the driver."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import ProgrammingError, transaction
from django.utils import timezone

from agentops.errors import StateConflict
from approvals.models import ApprovalRequest
from approvals.policies import may_decide
from approvals.services import decide, expire_requests, read_evidence
from identities.models import AgentIdentity
from runs.actions import executing
from runs.evidence import UNREAD_WORDS
from runs.models import Run
from runs.services import add_message, answer_input, cancel_run, kill_run, pause_run, resume_run
from runs.session import Session
from tests.approvals.bending import unguarded
from tests.ledger import last_entry
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company, proposes, says, wakes_once_expired
from tests.runs.deeds import Mishap, busy, lose_reply, refuse
from tests.runs.test_services import while_thinking
from tools.models import CapUsage, ToolVersion


@pytest.fixture
def refund(company: Company) -> ToolVersion:
    version = company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    return version


@pytest.fixture
def waiting(company: Company, refund: ToolVersion) -> Run:
    """Return a run that waits for the approval of a refund."""
    run = company.run(proposes(("refund", ORDER), text="The order is late."), says("Done."))
    assert run.state == "requires_action"
    return run


def test_a_gated_call_waits_and_shows_what_for(company: Company, waiting: Run) -> None:
    request = ApprovalRequest.objects.get()
    assert waiting.required_actions == [
        {
            "type": "approval",
            "id": str(request.pk),
            "step": 1,
            "call": 1,
            "expires_at": request.expires_at.isoformat(),
        }
    ]
    assert waiting.lease_until is None
    assert wakes_once_expired(waiting)
    assert company.states(waiting)[0][0] == "waiting"
    assert company.world.attempts == []
    evidence = read_evidence(request)
    assert evidence is not None
    assert evidence["statement"] == "do something to order “A-1”"
    assert evidence["request"] == "Please help."
    assert evidence["why"] == "The order is late."
    assert evidence["principal"] == {"issuer": ISSUER, "subject": SUBJECT}


def test_who_owned_the_agent_when_it_asked_stays_involved(company: Company, waiting: Run) -> None:
    company.let_decide(company.versions[0].tool, company.cast.alice)
    AgentIdentity.objects.filter(pk=company.cast.agent.pk).update(owner=company.cast.bob)
    request = ApprovalRequest.objects.get()
    assert not ApprovalRequest.objects.decidable_by(company.cast.alice).exists()
    assert may_decide(company.cast.alice, request, second_factor=True).code == "owns_the_agent"
    assert may_decide(company.cast.fiona, request, second_factor=True).allowed


def test_an_approved_call_is_made_once(company: Company, waiting: Run) -> None:
    company.decide()
    run = company.drive(waiting)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert len(company.world.effects) == 1
    assert ApprovalRequest.objects.get().consumed_at is not None


def test_a_denial_reaches_the_model_with_its_reason(company: Company, waiting: Run) -> None:
    company.decide("deny", "the order is not late at all")
    run = company.drive(waiting)
    assert (run.state, company.states(run)) == ("completed", [("refused", "denied_by_human")])
    assert company.observations() == [
        {"error": "denied_by_human", "detail": "a person denied this: the order is not late at all"}
    ]
    assert company.world.attempts == []


def test_nobody_decided_in_time(company: Company, waiting: Run) -> None:
    assert expire_requests(now=timezone.now() + timedelta(seconds=601)) == 1
    run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_expired")]
    assert company.world.attempts == []


def test_an_approval_that_nobody_gave_makes_no_effect(company: Company, waiting: Run) -> None:
    with pytest.raises(ProgrammingError, match="takes more people"), transaction.atomic():
        ApprovalRequest.objects.update(state="approved", decided_at=timezone.now())
    with unguarded():
        ApprovalRequest.objects.update(state="approved", decided_at=timezone.now())
    run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_not_recorded")]
    assert company.world.attempts == []


def test_an_approval_that_was_not_used_in_time_is_void(company: Company, waiting: Run) -> None:
    company.decide()
    with time_machine.travel(timezone.now() + timedelta(minutes=10, seconds=1), tick=False):
        run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_expired")]


def test_a_changed_grant_voids_the_approval(company: Company, refund: ToolVersion, waiting: Run) -> None:
    company.decide()
    company.grant(refund.tool, "REQUIRE_APPROVAL")
    run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_voided")]
    assert company.world.attempts == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            lambda company: AgentIdentity.objects.filter(pk=company.cast.agent.pk).update(state="suspended"),
            "identity_suspended",
        ),
        (
            lambda company: type(company.cast.application).objects.update(state="revoked"),
            "application_revoked",
        ),
    ],
)
def test_an_approval_does_not_outlive_the_right_to_act(
    company: Company, waiting: Run, change: object, code: str
) -> None:
    company.decide()
    assert callable(change)
    change(company)
    run = company.drive(waiting)
    assert (run.state, run.status_reason, company.world.attempts) == ("halted", code, [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda company: company.grant(company.versions[0].tool, "DENY"), "denied_by_grant"),
        (
            lambda company: type(company.versions[0].tool).objects.update(state="quarantined"),
            "tool_quarantined",
        ),
    ],
)
def test_everything_is_checked_again_after_the_approval(
    company: Company, waiting: Run, change: object, code: str
) -> None:
    company.decide()
    assert callable(change)
    change(company)
    run = company.drive(waiting)
    assert company.states(run) == [("refused", code)]
    assert company.world.attempts == []


def void_before_the_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Withdraw the approval between the last look at it and the transaction that starts the attempt."""
    commit = executing._commit_attempts

    def withdraw_and_commit(session: Session, ready: list[executing.Ready]) -> None:
        ApprovalRequest.objects.filter(state="approved", consumed_at=None).update(state="voided")
        commit(session, ready)

    monkeypatch.setattr(executing, "_commit_attempts", withdraw_and_commit)


def test_an_approval_that_is_withdrawn_at_the_last_moment_lets_nothing_through(
    company: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.decide()
    void_before_the_effect(monkeypatch)
    run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_voided")]
    assert company.world.attempts == []


def test_without_spending_the_approval_in_that_transaction_it_would(
    company: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the approval is looked at, not spent."""
    company.decide()
    void_before_the_effect(monkeypatch)
    monkeypatch.setattr(executing, "_approval_guard", lambda item: [])
    run = company.drive(waiting)
    assert company.states(run) == [("succeeded", "ok")]


def test_an_approval_covers_the_retries_of_its_one_effect(company: Company, waiting: Run) -> None:
    company.world.mishaps.extend([busy, lose_reply])
    company.decide()
    run = company.drive(waiting)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert (len(company.world.attempts), len(company.world.effects)) == (3, 1)


def test_two_calls_of_one_step_wait_for_a_decision_each(company: Company, refund: ToolVersion) -> None:
    run = company.run(proposes(("refund", ORDER), ("refund", {"order_id": "A-2"})), says("Done."))
    first, second = ApprovalRequest.objects.order_by("created_at")
    assert [action["id"] for action in run.required_actions] == [str(first.pk), str(second.pk)]
    decide_about(company, second)
    run = company.drive(run)
    assert (run.state, [state for state, _ in company.states(run)]) == (
        "requires_action",
        ["waiting", "approved"],
    )
    assert run.required_actions == [
        {
            "type": "approval",
            "id": str(first.pk),
            "step": 1,
            "call": 1,
            "expires_at": first.expires_at.isoformat(),
        }
    ]
    assert company.world.attempts == [], "writes keep the proposed order"
    decide_about(company, first)
    run = company.drive(run)
    assert (run.state, len(company.world.effects)) == ("completed", 2)


def decide_about(company: Company, request: ApprovalRequest) -> None:
    decide(
        actor=company.cast.fiona,
        request=request,
        verdict="approve",
        reason="",
        digest=request.digest,
        channel="api",
        second_factor=True,
    )


@pytest.mark.parametrize(("end", "state"), [(kill_run, "halted"), (cancel_run, "cancelled")])
def test_a_run_that_is_stopped_takes_its_requests_with_it(
    company: Company, waiting: Run, end: object, state: str
) -> None:
    assert callable(end)
    end(actor=company.cast.alice, run=waiting)
    run = company.drive(waiting)
    assert run.state == state
    request = ApprovalRequest.objects.get()
    assert request.state == "voided"
    with pytest.raises(StateConflict):
        decide_about(company, request)
    assert company.world.attempts == []


def test_a_decision_that_comes_while_the_run_is_paused_waits(company: Company, waiting: Run) -> None:
    run = company.drive(pause_run(actor=company.cast.alice, run=waiting))
    assert run.state == "paused"
    company.decide()
    run = company.drive(run)
    assert (run.state, company.world.attempts) == ("paused", [])
    run = resume_run(actor=company.cast.alice, run=run)
    run = company.drive(run)
    assert (run.state, len(company.world.effects)) == ("completed", 1)


def test_a_run_that_is_resumed_shows_what_it_waits_for(company: Company, waiting: Run) -> None:
    run = company.drive(pause_run(actor=company.cast.alice, run=waiting))
    run = resume_run(actor=company.cast.alice, run=run)
    assert run.state == "requires_action"
    run = company.drive(run)
    assert (run.state, len(run.required_actions)) == ("requires_action", 1)


@pytest.mark.parametrize("approved", [False, True])
def test_what_the_user_says_before_the_effect_is_read_first(
    company: Company, waiting: Run, approved: bool
) -> None:
    request = ApprovalRequest.objects.get()
    if approved:
        company.decide()
    run = add_message(
        actor=company.cast.application.service_account, run=waiting, text="STOP, do not refund!"
    )
    request.refresh_from_db()
    assert (request.state, last_entry(request.pk).facts) == ("voided", {"code": "user_wrote"})
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("refused", "approval_voided")])
    assert company.world.attempts == []
    assert company.observations() == [{"error": "approval_voided", "detail": UNREAD_WORDS}]
    last = company.asked()[-1]["messages"]
    assert [message["role"] for message in last] == ["system", "user", "assistant", "tool", "user"]
    assert last[-1]["content"] == "STOP, do not refund!"


def test_nobody_is_asked_about_a_call_that_the_users_last_words_may_undo(
    company: Company, refund: ToolVersion
) -> None:
    company.play(says("placeholder"))
    run = company.start()

    def stop() -> None:
        add_message(actor=company.cast.application.service_account, run=run, text="STOP!")

    company.play(while_thinking(stop, proposes(("refund", ORDER))), says("Stopped."))
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("refused", "approval_voided")])
    assert not ApprovalRequest.objects.exists()
    assert company.observations() == [{"error": "approval_voided", "detail": UNREAD_WORDS}]


def test_an_answer_to_the_agent_is_read_before_the_effect(company: Company, refund: ToolVersion) -> None:
    question = ("ask_user", {"question": "Which order?"})
    run = company.run(proposes(("refund", ORDER), question), says("Done."))
    assert ApprovalRequest.objects.get().state == "waiting"
    answer_input(actor=company.cast.application.service_account, run=run, text="None, forget it.")
    assert ApprovalRequest.objects.get().state == "voided"
    run = company.drive(run)
    assert ("refused", "approval_voided") in company.states(run)
    assert company.world.attempts == []


def test_waiting_for_people_is_no_working_time(company: Company, waiting: Run) -> None:
    before = company.drive(waiting).worked_ms
    with time_machine.travel(waiting.created_at + timedelta(minutes=5), tick=True):
        company.decide()
        run = company.drive(waiting)
    assert run.state == "completed"
    assert run.worked_ms < before + 60_000


def test_reads_go_on_while_a_write_waits(company: Company, refund: ToolVersion) -> None:
    company.add_reads()
    run = company.run(proposes(("refund", ORDER), ("look_up", ORDER)), says("Done."))
    assert [state for state, _ in company.states(run)] == ["waiting", "succeeded"]
    assert run.state == "requires_action"


def test_an_irreversible_tool_needs_a_person_whatever_its_grant_says(company: Company) -> None:
    version = company.add_tool("refund", effect="irreversible", grant="ALLOW")
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.world.attempts) == ("requires_action", [])
    assert ApprovalRequest.objects.get().state == "waiting"


def test_a_call_over_its_cap_may_be_put_before_people(company: Company) -> None:
    version = company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=[{"per": "call", "amount": "10"}],
        grant_over_caps="REQUIRE_APPROVAL",
        amount_argument="amount",
    )
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", {**ORDER, "amount": "11.00"})), says("Done."))
    assert run.state == "requires_action"
    company.decide()
    assert company.drive(run).state == "completed"
    assert len(company.world.effects) == 1


def add_capped(company: Company, **changes: str) -> ToolVersion:
    """Add a tool that moves 100 a day by itself, and more with a person's word."""
    version = company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=[{"per": "day", "amount": "100"}],
        grant_over_caps="REQUIRE_APPROVAL",
        amount_argument="amount",
        **changes,
    )
    company.let_decide(version.tool)
    return version


@pytest.fixture
def capped(company: Company) -> ToolVersion:
    return add_capped(company)


def refunds(company: Company, order: str, amount: str) -> Run:
    return company.run(proposes(("refund", {"order_id": order, "amount": amount})), says("Done."))


def used_today() -> list[tuple[int, Decimal]]:
    return list(CapUsage.objects.values_list("used_count", "used_amount"))


def test_what_a_person_lets_through_beyond_a_cap_counts(company: Company, capped: ToolVersion) -> None:
    run = refunds(company, "A-1", "120.00")
    assert (run.state, used_today()) == ("requires_action", []), "nothing is taken before the effect"
    company.decide()
    assert (company.drive(run).state, used_today()) == ("completed", [(1, Decimal(120))])
    assert refunds(company, "A-2", "1.00").state == "requires_action", "nothing is left for automatic calls"


def test_what_a_person_lets_through_counts_beside_what_was_used(
    company: Company, capped: ToolVersion
) -> None:
    assert refunds(company, "A-1", "90.00").state == "completed"
    run = refunds(company, "A-2", "20.00")
    company.decide()
    company.drive(run)
    assert used_today() == [(2, Decimal(110))]


@pytest.mark.parametrize("mishap", [busy, lose_reply])
def test_what_a_person_lets_through_counts_once(
    company: Company, capped: ToolVersion, mishap: Mishap
) -> None:
    company.world.mishaps.extend([mishap])
    run = refunds(company, "A-1", "120.00")
    company.decide()
    assert company.drive(run).state == "completed"
    assert (len(company.facts(run, "attempt.started")), used_today()) == (2, [(1, Decimal(120))])


@pytest.mark.parametrize(("mishap", "left"), [(refuse, (0, Decimal(0))), (lose_reply, (1, Decimal(120)))])
def test_what_a_person_let_through_is_given_back_when_it_surely_had_no_effect(
    company: Company, mishap: Mishap, left: tuple[int, Decimal]
) -> None:
    add_capped(company, idempotency="none")
    company.world.mishaps.extend([mishap])
    run = refunds(company, "A-1", "120.00")
    company.decide()
    company.drive(run)
    assert used_today() == [left]


def test_nothing_is_taken_for_what_a_person_denied(company: Company, capped: ToolVersion) -> None:
    run = refunds(company, "A-1", "120.00")
    company.decide("deny", "too much")
    company.drive(run)
    assert used_today() == []
    assert refunds(company, "A-2", "100.00").state == "completed"


def test_a_run_that_expires_takes_its_requests_with_it(company: Company, waiting: Run) -> None:
    late = waiting.expires_at + timedelta(seconds=1)
    with time_machine.travel(late, tick=True):
        run = company.drive(waiting)
    assert (run.state, run.status_reason) == ("expired", "expired")
    assert ApprovalRequest.objects.get().state == "voided"
