"""Calls of an agent outside, through the driver: the same path, budgets, ledger and trace as any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from approvals.capacity import set_review_capacity
from approvals.edits import edit_call, look_at_edit
from approvals.models import ApprovalRequest
from approvals.questions import ask_agent
from approvals.services import decide, read_evidence
from identities.models import Delegation
from identities.services import revoke_delegation, suspend_agent
from runs import free_turns
from runs.actions import executing, proposals
from runs.driver import drive
from runs.gateway import conversations
from runs.gateway.receiving import withdraw_call
from runs.gateway.telling import tell_result
from runs.models import AgentVersion, ReceivedCall, Run
from runs.services import add_message, kill_run
from tests.ledger import kinds_of
from tests.runs.company import ORDER, Company
from tests.runs.gateway.conftest import Outside, delegate
from tests.runs.previews import change_account, show_refunds
from tests.runs.test_driver import crash, drive_and_crash

REFUND = {"order_id": "A-1", "amount": "5.00"}
OTHER = {**REFUND, "amount": "2.00"}


def test_a_call_is_decided_executed_and_answered(outside: Outside) -> None:
    received = outside.call("refund", REFUND)
    answer = outside.hear(received)
    assert answer.status == "succeeded"
    run = outside.run
    assert (run.state, run.steps, run.proof, run.application, run.started_by) == (
        "in_progress", 1, "token", None, None,
    )  # fmt: skip
    assert outside.company.kinds(run)[:6] == [
        "run.started", "call.received", "model.requested", "step.decided", "call.allowed", "attempt.started",
    ]  # fmt: skip
    assert len(outside.company.world.effects) == 1
    [call] = outside.company.calls(run)
    assert call.key == f"{run.pk}:1:refund:1"


def test_calls_of_a_conversation_stand_in_one_run(outside: Outside) -> None:
    for _ in range(3):
        outside.hear(outside.call("look_up", ORDER))
    assert outside.company.states(outside.run) == [("succeeded", "ok")] * 3
    outside.call("look_up", ORDER, conversation="another")
    assert Run.objects.filter(kind="external").count() == 2


def test_who_asks_people_that_have_too_much_before_them_is_told_to_come_later(outside: Outside) -> None:
    cast, refund = outside.company.cast, outside.company.versions[0].tool
    outside.company.grant(refund, "REQUIRE_APPROVAL")
    outside.company.let_decide(refund)
    set_review_capacity(actor=cast.ada, team=cast.team, per_approver_hour=1)
    for number in ("A-1", "A-2"):
        assert outside.hear(outside.call("refund", {**REFUND, "order_id": number})).status == "waiting"
    told = outside.hear(outside.call("refund", {**REFUND, "order_id": "A-3"}))
    assert told.status == "failed"
    assert outside.company.states(outside.run)[-1] == ("refused", "review_capacity")
    assert outside.hear(outside.call("look_up", ORDER)).status == "succeeded"


def test_what_waits_for_a_person_holds_up_nothing_else(outside: Outside) -> None:
    refund = outside.company.versions[0].tool
    outside.company.grant(refund, "REQUIRE_APPROVAL")
    outside.company.let_decide(refund)
    asked = outside.call("refund", REFUND)
    first = outside.hear(asked)
    assert (first.status, first.code) == ("waiting", "approval_required")
    assert str(first.approval) in first.url
    assert outside.run.state == "requires_action"
    assert outside.hear(outside.call("look_up", ORDER)).status == "succeeded"
    outside.company.decide()
    outside.company.drive(outside.run)
    assert outside.hear(asked).status == "succeeded"
    assert len(outside.company.world.effects) == 1


def test_a_write_does_not_wait_for_another_that_waits(outside: Outside) -> None:
    refund = outside.company.versions[0].tool
    outside.company.grant(refund, "REQUIRE_APPROVAL")
    outside.call("refund", REFUND)
    outside.company.grant(refund, "ALLOW")
    assert outside.hear(outside.call("refund", {**REFUND, "order_id": "B-2"})).status == "succeeded"


def test_the_same_call_is_the_same_until_its_end_was_told(outside: Outside) -> None:
    one, again = outside.send("refund", REFUND), outside.send("refund", REFUND)
    assert one == again
    outside.company.drive(outside.run)
    outside.hear(one)
    assert outside.send("refund", REFUND).number == 2


def test_a_call_with_a_key_is_made_once_whenever_it_is_repeated(outside: Outside) -> None:
    one = outside.call("refund", REFUND, key="r-1")
    outside.hear(one)
    again = outside.call("refund", REFUND, key="r-1")
    assert one == again
    assert outside.hear(again).status == "succeeded"
    assert len(outside.company.world.effects) == 1
    with pytest.raises(ValidationFailed, match="key_reused"):
        outside.send("refund", {**REFUND, "order_id": "B-2"}, key="r-1")


def test_an_unknown_tool_and_bad_arguments_are_refused_on_the_record(outside: Outside) -> None:
    told = [
        outside.hear(outside.call(*wrong)).code
        for wrong in (("drop_tables", {}), ("refund", {"order_id": 7}), ("refund", '{"a": 1, "a": 2}'))
    ]
    assert told == ["not_allow_listed", "invalid_arguments", "malformed_arguments"]
    assert outside.company.world.effects == []
    assert outside.company.facts(outside.run, "step.decided")[0]["calls"][0]["tool"] == "(unknown)"


def test_more_calls_than_the_budget_are_refused_and_no_new_conversation_evades_it(outside: Outside) -> None:
    version = outside.company.published
    assert version is not None
    outside.call("look_up", ORDER)
    run = outside.run
    reach(run, version.max_steps or 0, outside)
    with pytest.raises(StateConflict, match="budget_reached"):
        outside.send("look_up", {"order_id": "B-1"})
    assert Run.objects.filter(kind="external").count() == 1


def reach(run: Run, steps: int, outside: Outside) -> None:
    """Make all the calls that the run may have."""
    for number in range(2, steps + 1):
        outside.send("look_up", {"order_id": f"A-{number}"})
        if number % 8 == 0:
            outside.company.drive(run)
    outside.company.drive(run)
    run.refresh_from_db()
    assert (run.state, run.steps) == ("in_progress", steps)


def test_a_conversation_that_was_stopped_begins_anew_only_when_it_would_have_been_over(
    outside: Outside,
) -> None:
    outside.call("look_up", ORDER)
    kill_run(actor=outside.company.cast.ada, run=outside.run)
    outside.company.drive(outside.run)
    with pytest.raises(StateConflict, match="conversation_ended"):
        outside.send("look_up", ORDER)


def test_without_that_rule_a_stopped_agent_just_goes_on(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversations, "_refuse_early", lambda ended: None)
    outside.call("look_up", ORDER)
    kill_run(actor=outside.company.cast.ada, run=outside.run)
    outside.company.drive(outside.run)
    outside.send("look_up", ORDER)
    assert Run.objects.filter(kind="external").count() == 2


def test_nobody_calls_for_long_enough_and_the_run_is_complete(outside: Outside, settings: object) -> None:
    settings.GATEWAY_IDLE_S = 1  # type: ignore[attr-defined]  # pytest-django's
    outside.hear(outside.call("look_up", ORDER))
    while drive(outside.run.pk):
        pass
    run = outside.run
    assert run.state == "completed"
    outside.send("look_up", ORDER)
    assert Run.objects.filter(kind="external").count() == 2


@pytest.mark.parametrize("proof", ["self", ""])
def test_a_token_for_no_user_opens_nothing(outside: Outside, proof: str) -> None:
    outside.caller = delegate(outside.company, proof=proof)
    with pytest.raises(PolicyDenied, match="no_user"):
        outside.send("look_up", ORDER)
    assert not ReceivedCall.objects.exists()


def test_an_agent_that_a_model_of_ours_plans_for_has_no_gateway(outside: Outside) -> None:
    AgentVersion.objects.update(state="retired")
    outside.company.publish()
    with pytest.raises(PolicyDenied, match="not_external"):
        outside.send("look_up", ORDER)


def test_an_external_agent_is_started_by_nobody_else(outside: Outside) -> None:
    with pytest.raises(PolicyDenied, match="external_only"):
        outside.company.start()


def test_a_suspended_agent_calls_nothing_more(outside: Outside) -> None:
    received = outside.send("refund", REFUND)
    suspend_agent(actor=outside.company.cast.ada, agent=outside.company.cast.agent, reason="stolen")
    outside.company.drive(outside.run)
    assert outside.hear(received).code == "identity_suspended"
    assert outside.company.world.effects == []


def test_two_calls_at_once_open_one_conversation(outside: Outside) -> None:
    outside.send("look_up", ORDER)
    digest = outside.run.conversation
    with pytest.raises(IntegrityError, match="run_one_open_conversation"), transaction.atomic():
        conversations._start(outside.caller, digest, "", "")  # somebody who did not see the other one


@pytest.mark.parametrize(
    ("module", "name"),
    [(free_turns, "describe_call"), (executing, "_execute_all"), (executing, "note_outcome")],
    ids=["taken up", "before the effect", "after the effect"],
)
def test_a_driver_that_dies_with_a_call_makes_its_effect_once_all_the_same(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    received = outside.send("refund", REFUND)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, crash)
        drive_and_crash(outside.company, outside.run)
    outside.company.drive(outside.run)
    assert outside.hear(received).status == "succeeded"
    assert len(outside.company.world.effects) == 1
    assert outside.company.kinds(outside.run).count("step.decided") == 1


def test_what_the_user_said_is_the_applications_to_add(outside: Outside) -> None:
    company = outside.company
    company.add_tool(
        "pay", function="refund", input_schema=company.versions[0].input_schema,
        provenance={"arguments": {"order_id": "identifier"}},
    )  # fmt: skip
    AgentVersion.objects.update(state="retired")
    company.publish(price=False, planner="external", principal_source="token")
    outside.caller = replace(outside.caller, application=company.cast.application)
    assert outside.hear(outside.call("pay", REFUND)).code == "from_nowhere"
    run = outside.run
    add_message(actor=company.cast.application.service_account, run=run, text="Refund order A-1, please.")
    assert outside.hear(outside.call("pay", REFUND)).status == "succeeded"


# --- authority that is taken back, and calls that are held -------------------------------------------------


@pytest.fixture
def delegated(outside: Outside) -> Delegation:
    """Let the agent call by a delegation that is on record."""
    caller = outside.caller
    made: Delegation = Delegation.objects.create(
        actor=caller.agent.service_account, team=outside.company.cast.team, principal=caller.principal,
        proof="token", audience="https://here/mcp", scope="tools:call", depth=1, receipt="signed",
        expires_at=timezone.now() + timedelta(minutes=5),
    )  # fmt: skip
    outside.caller = replace(caller, delegation_id=made.pk)
    return made


def wait_for_approval(outside: Outside) -> ReceivedCall:
    refund = outside.company.versions[0].tool
    outside.company.grant(refund, "REQUIRE_APPROVAL")
    outside.company.let_decide(refund)
    return outside.call("refund", REFUND)


@pytest.mark.parametrize("minutes", [0, 60])
def test_a_call_whose_authority_was_taken_back_goes_out_no_more(
    outside: Outside, delegated: Delegation, minutes: int
) -> None:
    """Also once the delegation has ended by itself: the call still waits."""
    asked = wait_for_approval(outside)
    Delegation.objects.filter(pk=delegated.pk).update(
        expires_at=timezone.now() + timedelta(minutes=5 - minutes)
    )
    revoke_delegation(actor=outside.caller.agent.service_account, delegation=delegated)
    outside.company.decide()
    outside.company.drive(outside.run)
    assert (outside.hear(asked).code, outside.company.world.attempts) == ("delegation_revoked", [])
    kinds = kinds_of(outside.caller.agent.pk)
    assert kinds.count("delegation.revoked") == 1
    assert revoke_delegation(actor=outside.caller.agent.service_account, delegation=delegated) == 0
    assert kinds_of(outside.caller.agent.pk) == kinds


def test_other_calls_of_the_conversation_go_on(outside: Outside, delegated: Delegation) -> None:
    revoke_delegation(actor=outside.caller.agent.service_account, delegation=delegated)
    outside.caller = replace(outside.caller, delegation_id=None)
    assert outside.hear(outside.call("refund", REFUND)).status == "succeeded"


def test_without_looking_a_call_goes_out_by_authority_that_is_gone(
    outside: Outside, delegated: Delegation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposals, "is_taken_back", lambda run, number: False)
    asked = wait_for_approval(outside)
    revoke_delegation(actor=outside.caller.agent.service_account, delegation=delegated)
    outside.company.decide()
    outside.company.drive(outside.run)
    assert outside.hear(asked).status == "succeeded"


def test_a_held_call_is_told_when_it_goes_out_and_can_be_taken_back(outside: Outside) -> None:
    outside.company.grant(outside.company.versions[0].tool, "ALLOW", veto_s=600)
    held = outside.call("refund", REFUND)
    told = outside.hear(held)
    assert (told.status, told.code) == ("working", "in_progress")
    assert "unless a person vetoes it" in told.detail
    assert withdraw_call(caller=outside.caller, received=held)
    assert not withdraw_call(caller=outside.caller, received=held)
    outside.company.drive(outside.run)
    answer = outside.hear(held)
    assert (answer.status, answer.code, answer.detail) == ("failed", "vetoed", "taken back by its caller")
    assert outside.company.world.attempts == []


def test_who_calls_is_told_that_their_call_was_edited(outside: Outside) -> None:
    asked = wait_for_approval(outside)
    request = ApprovalRequest.objects.get()
    given: dict[str, Any] = {
        "actor": outside.company.cast.fiona, "request": request, "digest": request.digest, "arguments": OTHER,
    }  # fmt: skip
    look = look_at_edit(**given)
    edit_call(**given, edited=look.digest, reason="half", channel="api", second_factor=True)
    outside.company.drive(outside.run)
    answer = outside.hear(asked)
    assert (answer.status, answer.edited) == ("succeeded", {"arguments": OTHER, "reason": "half"})
    told = tell_result(asked, answer)
    assert "Do not repeat yours" in str(told.content[0])
    assert (told.meta or {})["io.agentops/edited"]["arguments"] == OTHER


def test_who_calls_is_asked_back_and_answers_with_another_call(outside: Outside) -> None:
    asked = wait_for_approval(outside)
    request = ApprovalRequest.objects.get()
    ask_agent(
        actor=outside.company.cast.fiona, request=request, question="Why so much?", digest=request.digest,
        channel="api", second_factor=True,
    )  # fmt: skip
    outside.company.drive(outside.run)
    answer = outside.hear(asked)
    assert (answer.status, answer.code) == ("failed", "asked_back")
    assert "Why so much?" in answer.detail
    assert outside.hear(outside.call("refund", REFUND, why="It is the price.")).status == "waiting"
    again = ApprovalRequest.objects.get(state="waiting")
    assert again.follows == request
    assert (read_evidence(again) or {})["asked"][0]["answer"] == "It is the price."


def test_an_edited_call_is_not_put_off_for_want_of_people(outside: Outside) -> None:
    cast, refund = outside.company.cast, outside.company.versions[0].tool
    outside.company.grant(refund, "REQUIRE_APPROVAL")
    outside.company.let_decide(refund)
    asked = [outside.call("refund", {**REFUND, "order_id": number}) for number in ("A-1", "A-2", "A-3")]
    set_review_capacity(actor=cast.ada, team=cast.team, per_approver_hour=1)
    request = ApprovalRequest.objects.earliest("created_at")
    given: dict[str, Any] = {
        "actor": cast.fiona, "request": request, "digest": request.digest,
        "arguments": {**REFUND, "order_id": "A-4"},
    }  # fmt: skip
    look = look_at_edit(**given)
    edit_call(**given, edited=look.digest, reason="half", channel="api", second_factor=True)
    outside.company.drive(outside.run)
    assert outside.hear(asked[0]).status == "succeeded"


def test_nor_one_that_was_approved_before_what_it_changes_was_another(company: Company) -> None:
    show_refunds(company)
    company.publish(price=False, planner="external", principal_source="token", max_steps=40)
    outside = Outside(company, delegate(company))
    for number in ("A-1", "A-2", "A-3"):
        outside.call("refund", {**REFUND, "order_id": number})
    set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=1)
    first = ApprovalRequest.objects.earliest("created_at")
    decide(
        actor=company.cast.fiona, request=first, verdict="approve", reason="", digest=first.digest, channel="api",
        second_factor=True,
    )  # fmt: skip
    change_account(refunded="2.00")
    company.drive(outside.run)
    assert company.states(outside.run)[0] == ("waiting", "")
    assert ApprovalRequest.objects.get(key=first.key, state="waiting") != first
