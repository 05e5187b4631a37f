"""Calls that people edit before they approve them, through the driver."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.utils import timezone

from agentops.errors import AgentOpsError, Transient
from approvals import edits
from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.services import decide, read_evidence
from approvals.stages import escalate_requests
from identities.models import User
from runs.models import Run
from runs.services import add_message
from runs.undoing.services import undo_run
from tests.ledger import entries_of
from tests.runs.company import Company, proposes, says
from tools.models import CapUsage, ToolVersion

AMOUNT = {"type": "string", "pattern": r"^\d+\.\d\d$"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"order_id": {"type": "string", "maxLength": 100_000}, "amount": AMOUNT},
    "required": ["order_id", "amount"],
    "additionalProperties": False,
}
HIGH = {"order_id": "A-1", "amount": "90.00"}
LOW = {"order_id": "A-1", "amount": "9.00"}


def add_refund(company: Company, **changes: Any) -> ToolVersion:
    fields = {
        "effect": "irreversible", "grant": "REQUIRE_APPROVAL", "input_schema": SCHEMA, "amount_argument": "amount",
        "currency": "USD", **changes,
    }  # fmt: skip
    version = company.add_tool("refund", **fields)
    company.let_decide(version.tool)
    return version


@pytest.fixture
def refund(company: Company) -> ToolVersion:
    return add_refund(company)


@pytest.fixture
def waiting(company: Company, refund: ToolVersion) -> Run:
    """Return a run that waits for the approval of a refund that is too high."""
    return ask_for(company, HIGH)


def ask_for(company: Company, arguments: dict[str, Any]) -> Run:
    run = company.run(proposes(("refund", arguments), text="It broke."), says("Done."))
    assert run.state == "requires_action"
    return run


def look(company: Company, arguments: Any, who: User | None = None) -> edits.Look:
    request = ApprovalRequest.objects.get(state="waiting")
    return edits.look_at_edit(
        actor=who or company.cast.fiona, request=request, arguments=arguments, digest=request.digest
    )


def edit(company: Company, arguments: Any, who: User | None = None, **changes: Any) -> ApprovalRequest:
    """Look at an edit as Fiona, and have what was looked at."""
    request = ApprovalRequest.objects.get(state="waiting")
    values = {
        "digest": request.digest, "reason": "", "channel": "api", "second_factor": True,
        "edited": changes.pop("edited", None) or look(company, arguments, who).digest, **changes,
    }  # fmt: skip
    return edits.edit_call(actor=who or company.cast.fiona, request=request, arguments=arguments, **values)


def refused(company: Company, arguments: Any, who: User | None = None, **changes: Any) -> str:
    with pytest.raises(AgentOpsError) as error:
        edit(company, arguments, who, **changes)
    assert error.value.detail
    return error.value.code


def given(company: Company, run: Run) -> list[Any]:
    """Return what the tool was given, as it answered."""
    return [entry.content["value"] for entry in company.entries(run) if entry.kind == "call.succeeded"]


# --- what becomes of it -----------------------------------------------------------------------------------


def test_an_edited_call_is_made_once_as_its_editor_has_it(company: Company, waiting: Run) -> None:
    before = ApprovalRequest.objects.get()
    assert edit(company, LOW, reason="half of it is fine").state == "edited"
    run = company.drive(waiting)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert given(company, run) == [{"refunded": "A-1", "amount": "9.00"}]
    after = ApprovalRequest.objects.get(state="approved")
    assert (after.follows, after.edited_by, after.key) == (before, company.cast.fiona, before.key)
    assert company.world.effects == [before.key]
    assert (after.amount, after.consumed_at is not None) == (Decimal(9), True)


def test_the_editors_edit_is_their_yes_and_is_on_record_as_one(company: Company, waiting: Run) -> None:
    edit(company, LOW)
    company.drive(waiting)
    yes = ApprovalDecision.objects.get(verdict="approve")
    assert (yes.decided_by, yes.by_edit, yes.digest) == (company.cast.fiona, True, yes.request.digest)
    entry = next(each for each in entries_of(yes.request_id) if each.kind == "approval.decided")
    assert (entry.actor, entry.facts["edit_of"]) == (company.cast.fiona.pk, str(yes.request.follows_id))


def test_the_model_is_told_what_was_made_of_its_call(company: Company, waiting: Run) -> None:
    edit(company, LOW, reason="half of it is fine")
    company.drive(waiting)
    told = company.observations()[0]
    for part in ("a person who reviews your calls", '"amount":"9.00"', "half of it is fine"):
        assert part in told
    assert told.endswith('\n{"refunded":"A-1","amount":"9.00"}')


def test_the_trace_shows_what_was_proposed_who_edited_it_and_what_was_made(
    company: Company, waiting: Run
) -> None:
    edit(company, LOW)
    run = company.drive(waiting)
    assert (
        company.content(run, "step.decided")["calls"] == []
    )  # the answer; the proposal before it stays as it was
    proposed = next(entry for entry in company.entries(run) if entry.kind == "step.decided")
    assert proposed.content["calls"][0]["arguments"] == HIGH
    edited = company.content(run, "call.edited")
    assert (edited["before"], edited["by"]) == (HIGH, "fiona")
    facts = company.facts(run, "call.edited")[0]
    assert (facts["edited"], facts["by"]) == (["amount"], str(company.cast.fiona.pk))
    assert "fiona" not in str(facts)


def test_what_the_editor_leaves_to_the_policy_needs_nobody(company: Company) -> None:
    caps = [{"per": "call", "amount": "20.00"}]
    add_refund(
        company,
        effect="reversible",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps,
        grant_over_caps="REQUIRE_APPROVAL",
    )
    waiting = ask_for(company, HIGH)
    assert not look(company, LOW).asks
    edit(company, LOW)
    run = company.drive(waiting)
    assert (company.states(run), ApprovalRequest.objects.count()) == ([("succeeded", "ok")], 1)


def test_a_cap_is_reserved_for_what_goes_out(company: Company) -> None:
    caps = [{"per": "day", "amount": "50.00"}]
    add_refund(
        company,
        effect="reversible",
        grant="ALLOW_WITH_CAPS",
        grant_caps=caps,
        grant_over_caps="REQUIRE_APPROVAL",
    )
    waiting = ask_for(company, HIGH)
    edit(company, LOW)
    company.drive(waiting)
    assert [usage.used_amount for usage in CapUsage.objects.all()] == [9]


# --- who else has to say yes ------------------------------------------------------------------------------


def needs(company: Company, *stages: dict[str, Any], **rule: Any) -> None:
    """Have calls fall under a rule with these stages."""
    set_approval_rule(
        actor=company.cast.ada, team=company.cast.team, place=1, ruling=Ruling("Refunds", stages, **rule)
    )


def group_of(name: str, person: User) -> None:
    person.groups.add(Group.objects.get_or_create(name=name)[0])


def test_others_are_asked_with_what_differs_and_who_edited(company: Company, waiting: Run) -> None:
    needs(company, {"needed": 2})
    company.let_decide(company.versions[0].tool, company.cast.bob)
    edit(company, LOW, reason="half")
    run = company.drive(waiting)
    assert run.state == "requires_action"
    request = ApprovalRequest.objects.get(state="waiting")
    shown = (read_evidence(request) or {})["edited"]
    assert (shown["by"], shown["reason"]) == ("fiona", "half")
    assert shown["changes"] == [{"argument": "amount", "before": "90.00", "after": "9.00"}]
    with pytest.raises(AgentOpsError) as twice:
        approve(company.cast.fiona, request)
    assert twice.value.code == "decided_already"
    approve(company.cast.bob, request)
    run = company.drive(run)
    assert (company.states(run), len(company.world.effects)) == ([("succeeded", "ok")], 1)


def approve(who: User, request: ApprovalRequest) -> None:
    decide(
        actor=who, request=request, verdict="approve", reason="", digest=request.digest, channel="api",
        second_factor=True,
    )  # fmt: skip


def test_an_edit_counts_in_the_stage_where_its_editor_is_asked(company: Company, waiting: Run) -> None:
    group_of("desk", company.cast.bob)
    group_of("heads", company.cast.fiona)
    needs(company, {"needed": 1, "group": "desk"}, {"needed": 1, "group": "heads"})
    company.let_decide(company.versions[0].tool, company.cast.bob)
    edit(company, LOW)
    run = company.drive(waiting)
    request = ApprovalRequest.objects.get(state="waiting")
    assert not request.decisions.exists()  # the first stage asks others
    approve(company.cast.bob, request)
    request.refresh_from_db()
    assert (request.state, request.decisions.get(by_edit=True).stage) == ("approved", 2)
    assert company.states(company.drive(run)) == [("succeeded", "ok")]


def test_an_editor_who_has_lost_the_right_since_counts_for_nobody(company: Company, waiting: Run) -> None:
    edit(company, LOW)
    company.cast.fiona.is_active = False
    company.cast.fiona.save()
    run = company.drive(waiting)
    assert run.state == "requires_action"
    assert not ApprovalRequest.objects.get(state="waiting").decisions.exists()
    assert company.world.attempts == []


def test_terms_that_change_before_the_driver_comes_have_people_asked(
    company: Company, refund: ToolVersion, waiting: Run
) -> None:
    """What the editor signed is not what would go out."""
    edit(company, LOW)
    company.grant(refund.tool, "REQUIRE_APPROVAL")
    run = company.drive(waiting)
    assert run.state == "requires_action"
    assert not ApprovalRequest.objects.get(state="waiting").decisions.exists()


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (HIGH, "nothing_edited"),
        ({"order_id": "A-1"}, "invalid_arguments"),
        ({"order_id": "A-1", "amount": "nine"}, "invalid_arguments"),
        ({**LOW, "more": 1}, "invalid_arguments"),
        (["A-1"], "invalid_arguments"),
        (None, "invalid_arguments"),
        ({"order_id": "A" * 1_000_000, "amount": "9.00"}, "arguments_too_large"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_arguments_that_may_not_go_out_change_nothing(
    company: Company, waiting: Run, arguments: Any, code: str
) -> None:
    assert refused(company, arguments, edited="e" * 64) == code
    assert ApprovalRequest.objects.get().state == "waiting"


def test_only_who_may_decide_edits(company: Company, waiting: Run) -> None:
    cast = company.cast
    assert refused(company, LOW, cast.charlie, edited="e" * 64) == "unknown_approval"
    assert refused(company, LOW, cast.bob, edited="e" * 64) == "not_an_approver"
    company.let_decide(company.versions[0].tool, cast.alice)
    assert refused(company, LOW, cast.alice, edited="e" * 64) == "owns_the_agent"
    assert refused(company, LOW, second_factor=False) == "second_factor_required"
    assert not ApprovalDecision.objects.exists()


def test_a_stale_form_edits_nothing(company: Company, waiting: Run) -> None:
    assert refused(company, LOW, digest="e" * 64, edited="e" * 64) == "digest_changed"
    assert refused(company, LOW, edited="e" * 64) == "edit_changed"
    seen = look(company, LOW).digest
    assert refused(company, {**LOW, "amount": "8.00"}, edited=seen) == "edit_changed"


def test_what_is_decided_is_edited_no_more(company: Company, waiting: Run) -> None:
    request, seen = ApprovalRequest.objects.get(), look(company, LOW).digest
    edit(company, LOW)
    with pytest.raises(AgentOpsError) as twice:
        edits.edit_call(
            actor=company.cast.fiona, request=request, arguments=LOW, digest=request.digest, edited=seen, reason="",
            channel="api", second_factor=True,
        )  # fmt: skip
    assert (twice.value.code, twice.value.detail) == (
        "approval_decided", "somebody has edited its call; nothing was changed",
    )  # fmt: skip


def test_an_edited_call_is_not_edited_again(company: Company, waiting: Run) -> None:
    needs(company, {"needed": 2})
    company.let_decide(company.versions[0].tool, company.cast.bob)
    edit(company, LOW)
    company.drive(waiting)
    assert refused(company, {**LOW, "amount": "8.00"}, company.cast.bob) == "edited_already"


def test_what_the_user_wrote_since_is_read_first(company: Company, waiting: Run) -> None:
    edit(company, LOW)
    add_message(actor=company.cast.application.service_account, run=waiting, text="Never mind.")
    run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_voided")]
    assert company.world.attempts == []


def test_a_call_that_was_tried_is_edited_no_more(company: Company) -> None:
    version = add_refund(company, effect="reversible", grant="ALLOW", idempotency="honours_key")
    company.play(proposes(("refund", HIGH)), says("Done."))
    run = company.start()

    def turn_away(do: Callable[[], Any]) -> Any:
        company.grant(version.tool, "REQUIRE_APPROVAL")
        raise Transient("busy", "later")

    company.world.mishaps.append(turn_away)
    run = company.drive(run)
    assert (run.state, company.calls(run)[0].attempts) == ("requires_action", 1)
    assert refused(company, LOW) == "tried_already"


# --- where its values come from ---------------------------------------------------------------------------


def test_what_a_person_wrote_is_theirs_and_what_they_left_is_not(company: Company) -> None:
    version = company.add_tool(
        "send_money", effect="irreversible", grant="REQUIRE_APPROVAL",
        provenance={"arguments": {"iban": "destination", "amount": "amount"}},
        input_schema={
            "type": "object", "properties": {"iban": {"type": "string"}, "amount": {"type": "string"}},
            "required": ["iban", "amount"], "additionalProperties": False,
        },
    )  # fmt: skip
    company.let_decide(version.tool)
    paid = {"iban": "DE02120300000000202051", "amount": "5.00"}
    run = company.run(
        proposes(("send_money", paid)), says("Done."), message="Pay 5.00 to DE02120300000000202051."
    )
    assert run.state == "requires_action"
    reasons = look(company, {**paid, "amount": "7.00"}).assessment.decision.reasons
    told = {reason.code: reason.detail for reason in reasons}
    assert "a person's edit in step 1" in told["from_trusted"]
    assert "iban" in told["from_user"]
    invented = {**paid, "iban": "DE89370400440532013000"}
    assert "a person's edit" in str(look(company, invented).assessment.decision.reasons)


def test_what_was_edited_is_undone_as_it_was_made(company: Company) -> None:
    company.add_tool("cancel")
    undone = {"kind": "compensable", "tool": "cancel", "arguments": {"order_id": "$arguments.order_id"}}
    add_refund(company, effect="reversible", undo=undone)
    waiting = ask_for(company, HIGH)
    edit(company, {**LOW, "order_id": "B-2"})
    run = company.drive(waiting)
    undo = company.drive(undo_run(actor=company.cast.ada, run=run, reason="A mistake."))
    assert given(company, undo) == [{"cancelled": "B-2"}]


def test_an_edit_counts_once_its_editor_is_asked_for_want_of_others(company: Company, waiting: Run) -> None:
    company.let_decide(company.versions[0].tool, company.cast.bob)
    group_of("desk", company.cast.bob)
    group_of("heads", company.cast.fiona)
    edit(company, LOW)
    escalate = [{"after_s": 60, "group": "heads"}]
    needs(company, {"needed": 1, "group": "desk", "escalate": escalate})
    run = company.drive(waiting)
    request = ApprovalRequest.objects.get(state="waiting")
    assert not request.decisions.exists()
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=True):
        assert escalate_requests(now=timezone.now()) == 1
    request.refresh_from_db()
    assert (request.state, request.decisions.get().by_edit) == ("approved", True)
    assert company.states(company.drive(run)) == [("succeeded", "ok")]
