from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from agentops.errors import ApprovalRequired, PolicyDenied, StateConflict
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.gate import consume, read_verdicts, require
from approvals.models import ApprovalDecision, ApprovalRequest
from identities.models import AgentIdentity, User
from tests.approvals.bending import unguarded
from tests.factories import ApprovalRequestFactory, PersonFactory
from tests.factories.approvals import record_decision
from tests.tools.execution import make_call, make_spec
from tools.assessment import Assessment
from tools.authority import Decision, Reason, Verdict
from tools.permits import Permit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals]


def assessed(request: ApprovalRequest | None = None, verdict: Verdict = "REQUIRE_APPROVAL") -> Assessment:
    """Return the assessment of exactly the call that a request is about."""
    call = make_call(make_spec(name="refund", effect="irreversible"), {"order_id": "A-1"})
    if request is not None:
        call = replace(call, key=request.key)
    digest = request.digest if request else "d" * 64
    decision = Decision(verdict, "irreversible", (Reason("tool", "irreversible", "a person decides"),))
    return Assessment(call, decision, digest, "", "", None, None, 600, False, "a person decides")


def request_for(state: str = "approved", **changes: Any) -> ApprovalRequest:
    decided_at = timezone.now() if state in ("approved", "denied") else None
    made: ApprovalRequest = ApprovalRequestFactory.create(
        state=state, **{"decided_at": decided_at, **changes}
    )
    if decided_at is not None:
        record_decision(made, "approve" if state == "approved" else "deny")
    return made


def permit_for(request: ApprovalRequest, assessment: Assessment | None = None) -> Permit:
    return require(assessment or assessed(request), approval_id=request.pk, now=timezone.now())


def test_what_policy_allows_needs_nobody() -> None:
    assessment = assessed(verdict="ALLOW")
    assert require(assessment, approval_id=None, now=timezone.now()).approval_id is None


def test_what_policy_denies_no_approval_helps() -> None:
    request = request_for()
    with pytest.raises(PolicyDenied):
        permit_for(request, assessed(request, "DENY"))


def test_nobody_was_asked_yet() -> None:
    with pytest.raises(ApprovalRequired):
        require(assessed(), approval_id=None, now=timezone.now())


def test_an_approval_yields_a_permit_that_names_it() -> None:
    request = request_for()
    permit = permit_for(request)
    assert (permit.approval_id, permit.key) == (request.pk, request.key)


def decider_of(request: ApprovalRequest) -> User:
    return request.decisions.get().decided_by


def deactivate(request: ApprovalRequest) -> None:
    User.objects.filter(pk=decider_of(request).pk).update(is_active=False)


def take_right(request: ApprovalRequest) -> None:
    remove_perm("approve_calls", decider_of(request), request.tool)


def make_owner(request: ApprovalRequest) -> None:
    AgentIdentity.objects.filter(pk=request.identity_id).update(owner=decider_of(request))


@pytest.mark.parametrize("change", [deactivate, take_right, make_owner])
def test_an_approval_counts_only_while_who_gave_it_may_give_it(
    change: Callable[[ApprovalRequest], None],
) -> None:
    request = request_for()
    change(request)
    with pytest.raises(StateConflict) as refused:
        permit_for(request)
    assert refused.value.code == "approval_voided"
    ApprovalRequest.objects.update(consumed_at=timezone.now())
    assert permit_for(request), "a retry of what it was spent on stays covered"


def test_a_right_that_comes_from_a_group_counts() -> None:
    request = request_for()
    take_right(request)
    group = Group.objects.create(name="approvers")
    decider_of(request).groups.add(group)
    assign_perm("approve_calls", group, request.tool)
    assert permit_for(request)


@pytest.mark.parametrize("state", ["waiting", "denied", "expired", "voided"])
def test_anything_else_yields_none(state: str) -> None:
    with pytest.raises(StateConflict) as refused:
        permit_for(request_for(state))
    assert refused.value.code == "approval_voided"


def test_an_approval_that_does_not_exist_yields_none() -> None:
    with pytest.raises(StateConflict):
        require(assessed(), approval_id=new_id(), now=timezone.now())


def test_an_approval_of_another_call_yields_none() -> None:
    request, other = request_for(), request_for()
    for assessment in (
        assessed(other),
        replace(assessed(request), digest="e" * 64),
        replace(assessed(request), call=replace(assessed(request).call, key="another")),
    ):
        with pytest.raises(StateConflict) as refused:
            permit_for(request, assessment)
        assert refused.value.code == "approval_voided"


def test_an_approval_lasts_as_long_after_the_decision_as_the_request_did_before() -> None:
    now = timezone.now()
    times: dict[str, Any] = {
        "created_at": now - timedelta(minutes=19),
        "expires_at": now - timedelta(minutes=9),
    }
    permit_for(request_for(**times, decided_at=now - timedelta(minutes=9, seconds=50)))
    with pytest.raises(StateConflict) as refused:
        permit_for(request_for(**times, decided_at=now - timedelta(minutes=10, seconds=1)))
    assert refused.value.code == "approval_expired"


def test_a_retry_of_the_effect_that_it_was_spent_on_stays_covered() -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    request = request_for(
        created_at=long_ago,
        expires_at=long_ago + timedelta(minutes=10),
        decided_at=long_ago,
        consumed_at=long_ago,
    )
    assert permit_for(request).approval_id == request.pk


# --- spending ---------------------------------------------------------------------------------------------


def spend(request: ApprovalRequest, **changes: Any) -> bool:
    values = {"digest": request.digest, "key": request.key, "now": timezone.now(), **changes}
    with transaction.atomic(), connection.cursor() as cursor:
        return consume(cursor, approval_id=changes.pop("approval_id", request.pk), **values)


def test_an_approval_is_spent_on_its_one_key() -> None:
    request = request_for()
    assert spend(request)
    request.refresh_from_db()
    first = request.consumed_at
    assert spend(request), "a retry under the same key"
    request.refresh_from_db()
    assert request.consumed_at == first is not None


@pytest.mark.parametrize("changes", [{"key": "another"}, {"digest": "e" * 64}])
def test_an_approval_is_spent_on_nothing_else(changes: dict[str, str]) -> None:
    request = request_for()
    assert not spend(request, **changes)
    request.refresh_from_db()
    assert request.consumed_at is None


@pytest.mark.parametrize("state", ["waiting", "denied", "expired", "voided"])
def test_only_an_approval_is_spent(state: str) -> None:
    request = request_for(state)
    assert not spend(request)


def test_an_approval_that_was_voided_between_check_and_effect_lets_nothing_through() -> None:
    request = request_for()
    permit_for(request)
    ApprovalRequest.objects.filter(pk=request.pk).update(state="voided")
    assert not spend(request)


def test_verdicts_are_of_requests_that_wait_no_more() -> None:
    waiting, denied, voided = (request_for(state) for state in ("waiting", "denied", "voided"))
    verdicts = read_verdicts([waiting.pk, denied.pk, voided.pk, new_id()])
    assert verdicts == {denied.pk: "denied", voided.pk: "voided"}


# --- what nobody decided ----------------------------------------------------------------------------------


def unrecorded(how: str) -> ApprovalRequest:
    """Return a request that somebody with the application's role has set to approved."""
    request = request_for("waiting")
    if how == "denied":
        record_decision(request, "deny")
    if how == "of other arguments":
        record_decision(request, digest="0" * 64)
    if how == "without an entry":
        values = {"verdict": "approve", "digest": request.digest, "decided_at": timezone.now()}
        ApprovalDecision.objects.create(request=request, decided_by=PersonFactory.create(), **values)
    if how == "without a row":
        record_decision(request)
        with unguarded():
            ApprovalDecision.objects.all().delete()
    if how == "voided":
        record_decision(request)
        with transaction.atomic():
            record(request.pk, "approval", Draft("approval.voided", timezone.now()))
    with unguarded():
        ApprovalRequest.objects.filter(pk=request.pk).update(state="approved", decided_at=timezone.now())
    request.refresh_from_db()
    return request


@pytest.mark.parametrize(
    "how", ["undecided", "denied", "of other arguments", "without an entry", "without a row", "voided"]
)
def test_an_approval_that_nobody_gave_lets_nothing_through(how: str) -> None:
    request, given = unrecorded(how), request_for()
    with pytest.raises(StateConflict) as refused:
        permit_for(request)
    assert refused.value.code == "approval_not_recorded"
    assert not spend(request)
    assert read_verdicts([request.pk, given.pk]) == {request.pk: "unrecorded", given.pk: "approved"}
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify", "--json", stdout=out)
    faults = json.loads(out.getvalue())["faults"]
    assert [(fault["stream"], fault["code"]) for fault in faults] == [(str(request.pk), "unrecorded")]


def test_a_recorded_decision_passes_the_verification() -> None:
    request_for()
    call_command("verify", stdout=StringIO())
