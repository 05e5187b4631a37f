from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm

from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.store import erase_contents
from approvals import closing, services
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.services import Subject, expire_requests, request_approval, void_requests
from identities.models import STAFF_ISSUER, User
from identities.services import update_person
from tests.approvals.bending import unguarded
from tests.cast import Cast
from tests.factories import ApprovalRequestFactory, PersonFactory, ToolFactory, ToolVersionFactory
from tests.factories.identities import PrincipalFactory
from tests.ledger import kinds_of, last_entry
from tests.tools.execution import make_call
from tools.assessment import Assessment
from tools.authority import Decision, Reason
from tools.catalogue import read_spec
from tools.services import add_approver

pytestmark = pytest.mark.django_db(transaction=True)


def refund_asked(cast: Cast, **values: Any) -> ApprovalRequest:
    """Return a request that Fiona may decide about: an agent of Alice's, for a customer of the application."""
    tool = ToolFactory.create(team=cast.team, name="refund")
    assign_perm("approve_calls", cast.fiona, tool)
    version = ToolVersionFactory.create(tool=tool, irreversible=True)
    made: ApprovalRequest = ApprovalRequestFactory.create(
        identity=cast.agent, tool_version=version, application=cast.application, **values
    )
    return made


@pytest.fixture
def request_of_team(cast: Cast) -> ApprovalRequest:
    return refund_asked(cast)


def decide(
    request: ApprovalRequest, actor: User, verdict: str = "approve", **changes: Any
) -> ApprovalRequest:
    values: dict[str, Any] = {
        "reason": "looked at it",
        "digest": request.digest,
        "channel": "api",
        "second_factor": True,
        **changes,
    }
    return services.decide(actor=actor, request=request, verdict=verdict, **values)


def unchanged(request: ApprovalRequest) -> bool:
    request.refresh_from_db()
    return request.state == "waiting" and not ApprovalDecision.objects.exists()


# --- deciding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "state"), [("approve", "approved"), ("deny", "denied")])
def test_a_decision_is_a_row_an_entry_and_a_state(
    cast: Cast, request_of_team: ApprovalRequest, verdict: str, state: str
) -> None:
    decided = decide(request_of_team, cast.fiona, verdict)
    assert (decided.state, decided.consumed_at) == (state, None)
    row = ApprovalDecision.objects.get()
    assert (row.verdict, row.decided_by, row.channel, row.digest) == (
        verdict,
        cast.fiona,
        "api",
        request_of_team.digest,
    )
    entry = last_entry(request_of_team.pk)
    assert (entry.kind, entry.actor) == ("approval.decided", cast.fiona.pk)
    assert entry.facts == {"verdict": verdict, "channel": "api", "digest": request_of_team.digest, "stage": 1}
    assert entry.content == {"reason": "looked at it"}


def test_whoever_waits_is_woken(
    cast: Cast, request_of_team: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(closing, "send_after_commit", lambda *args, **_: sent.append(args))
    decide(request_of_team, cast.fiona)
    assert sent == [("runs.wake_run", request_of_team.subject_ref)]


def test_a_group_may_be_given_a_tool(cast: Cast) -> None:
    tool = ToolFactory.create(team=cast.team)
    assign_perm("approve_calls", cast.finance, tool)
    version = ToolVersionFactory.create(tool=tool, irreversible=True)
    request = ApprovalRequestFactory.create(identity=cast.agent, tool_version=version)
    assert decide(request, cast.fiona).state == "approved"


@pytest.mark.parametrize(
    ("who", "error", "code"),
    [
        (lambda cast: cast.bob, PolicyDenied, "not_an_approver"),
        (lambda cast: cast.alice, PolicyDenied, "not_an_approver"),
        (lambda cast: cast.ada, PolicyDenied, "not_an_approver"),
        (lambda cast: cast.charlie, NotFound, "unknown_approval"),
        (lambda cast: cast.agent.service_account, NotFound, "unknown_approval"),
        (lambda cast: cast.application.service_account, PolicyDenied, "not_a_person"),
        (lambda cast: PersonFactory.create(), NotFound, "unknown_approval"),
    ],
)
def test_who_was_not_given_the_tool_decides_nothing(
    cast: Cast,
    request_of_team: ApprovalRequest,
    who: Callable[[Cast], User],
    error: type[AgentOpsError],
    code: str,
) -> None:
    """Not for rank, not for being on the team, and machines never."""
    with pytest.raises(error) as refused:
        decide(request_of_team, who(cast))
    assert refused.value.code == code
    assert unchanged(request_of_team)


@pytest.mark.parametrize("way", ["rank", "user permission", "group permission", "granted by a colleague"])
def test_a_superuser_approves_only_by_a_row_about_the_tool(
    cast: Cast, request_of_team: ApprovalRequest, way: str
) -> None:
    """Neither rank nor a permission for all tools counts, whoever wrote it."""
    approving = Permission.objects.get(codename="approve_calls")
    if way == "user permission":
        cast.ada.user_permissions.add(approving)
    if way == "group permission":
        cast.finance.permissions.add(approving)
        cast.ada.groups.add(cast.finance)
    if way == "granted by a colleague":
        add_approver(actor=cast.alice, tool=request_of_team.tool, approver=cast.ada)
        assert decide(request_of_team, cast.ada).state == "approved"
        return
    with pytest.raises(PolicyDenied) as refused:
        decide(request_of_team, cast.ada)
    assert refused.value.code == "not_an_approver"
    assert not ApprovalRequest.objects.decidable_by(cast.ada).exists()
    assert unchanged(request_of_team)


def test_a_superuser_who_tries_to_let_herself_approve_decides_nothing(
    cast: Cast, request_of_team: ApprovalRequest
) -> None:
    tool, group = request_of_team.tool, Group.objects.create(name="mine")
    own: dict[str, Any] = {"active": True, "staff": True, "superuser": True, "groups": [group]}
    add_approver(actor=cast.ada, tool=tool, approver=group)
    for grant in (
        lambda: add_approver(actor=cast.ada, tool=tool, approver=cast.ada),
        lambda: update_person(actor=cast.ada, person=cast.ada, **own),
    ):
        with pytest.raises(PolicyDenied):
            grant()
    with pytest.raises(PolicyDenied) as refused:
        decide(request_of_team, cast.ada)
    assert refused.value.code == "not_an_approver"


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (lambda cast: cast.agent.service_account, "unknown_approval"),
        (lambda cast: cast.application.service_account, "not_a_person"),
        (lambda cast: cast.alice, "owns_the_agent"),
    ],
)
def test_whoever_is_involved_decides_nothing_even_if_given_the_tool(
    cast: Cast, request_of_team: ApprovalRequest, who: Callable[[Cast], User], code: str
) -> None:
    assign_perm("approve_calls", who(cast), request_of_team.tool)
    with pytest.raises(AgentOpsError) as refused:
        decide(request_of_team, who(cast))
    assert refused.value.code == code
    assert unchanged(request_of_team)


def test_who_started_the_work_does_not_approve_it(cast: Cast) -> None:
    with pytest.raises(PolicyDenied) as refused:
        decide(refund_asked(cast, requested_by=cast.fiona), cast.fiona)
    assert refused.value.code == "started_the_run"


def test_nobody_approves_what_is_done_on_their_behalf(cast: Cast, request_of_team: ApprovalRequest) -> None:
    staff = PrincipalFactory.create(team=cast.team, issuer=STAFF_ISSUER, subject=cast.fiona.get_username())
    version = request_of_team.tool_version
    theirs = ApprovalRequestFactory.create(identity=cast.agent, tool_version=version, principal=staff)
    with pytest.raises(PolicyDenied) as refused:
        decide(theirs, cast.fiona)
    assert refused.value.code == "is_the_principal"
    assert unchanged(theirs)
    assert ApprovalRequest.objects.decidable_by(cast.fiona).get() == request_of_team


def test_an_account_that_was_switched_off_decides_nothing(
    cast: Cast, request_of_team: ApprovalRequest
) -> None:
    cast.fiona.is_active = False
    cast.fiona.save()
    with pytest.raises((PolicyDenied, NotFound)):
        decide(request_of_team, cast.fiona)


def test_a_right_that_was_taken_back_decides_nothing(cast: Cast) -> None:
    tool = ToolFactory.create(team=cast.team)
    assign_perm("approve_calls", cast.finance, tool)
    version = ToolVersionFactory.create(tool=tool, irreversible=True)
    request = ApprovalRequestFactory.create(identity=cast.agent, tool_version=version)
    Group.objects.get(name="finance").user_set.remove(cast.fiona)
    with pytest.raises(PolicyDenied):
        decide(request, cast.fiona)


def test_a_decision_needs_a_second_factor(cast: Cast, request_of_team: ApprovalRequest) -> None:
    with pytest.raises(PolicyDenied) as refused:
        decide(request_of_team, cast.fiona, second_factor=False)
    assert refused.value.code == "second_factor_required"
    assert unchanged(request_of_team)


@pytest.mark.parametrize(
    ("verdict", "reason", "code"),
    [
        ("maybe", "hm", "bad_verdict"),
        ("", "hm", "bad_verdict"),
        ("deny", "", "reason_missing"),
        ("deny", "  ", "reason_missing"),
        ("deny", "\u200b\u2060 \u3164", "reason_missing"),
        ("approve", "x" * 2_001, "reason_too_long"),
    ],
)
def test_words_that_do_not_do(
    cast: Cast, request_of_team: ApprovalRequest, verdict: str, reason: str, code: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        decide(request_of_team, cast.fiona, verdict, reason=reason)
    assert refused.value.code == code
    assert unchanged(request_of_team)


def test_what_was_not_looked_at_is_not_decided(cast: Cast, request_of_team: ApprovalRequest) -> None:
    for digest in ("e" * 64, ""):
        with pytest.raises(StateConflict) as refused:
            decide(request_of_team, cast.fiona, digest=digest)
        assert refused.value.code == "digest_changed"
    assert unchanged(request_of_team)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"state": "approved"}, "approval_decided"),
        ({"state": "denied"}, "approval_decided"),
        ({"state": "voided"}, "approval_decided"),
        ({"state": "expired"}, "approval_expired"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "approval_expired"),
    ],
)
def test_what_is_not_open_is_not_decided(
    cast: Cast, request_of_team: ApprovalRequest, changes: dict[str, Any], code: str
) -> None:
    with unguarded():
        ApprovalRequest.objects.update(**changes)
    with pytest.raises(StateConflict) as refused:
        decide(request_of_team, cast.fiona)
    assert refused.value.code == code
    assert not ApprovalDecision.objects.exists()


def test_of_two_who_decide_at_once_one_does(cast: Cast, request_of_team: ApprovalRequest) -> None:
    greta = PersonFactory.create(username="greta")
    cast.team.members.add(greta)
    assign_perm("approve_calls", greta, request_of_team.tool)
    barrier, codes = threading.Barrier(2), []

    def say(actor: User, verdict: str) -> None:
        try:
            barrier.wait(20)
            codes.append(decide(request_of_team, actor, verdict).state)
        except StateConflict as error:
            codes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=say, args=args) for args in ((cast.fiona, "approve"), (greta, "deny"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) in (["approval_decided", "approved"], ["approval_decided", "denied"])
    assert ApprovalDecision.objects.count() == 1
    assert kinds_of(request_of_team.pk) == ["approval.decided"]


# --- asking -----------------------------------------------------------------------------------------------


@pytest.fixture
def assessment(cast: Cast) -> Assessment:
    version = ToolVersionFactory.create(irreversible=True, tool__team=cast.team, tool__name="refund")
    call = make_call(
        read_spec(version.pk), {"order_id": "A-1"}, identity_id=cast.agent.pk, key="run-1:1:refund:1"
    )
    reasons = (Reason("agent", "granted", "granted"), Reason("tool", "irreversible", "a person decides"))
    decision = Decision("REQUIRE_APPROVAL", "irreversible", reasons)
    return Assessment(call, decision, "d" * 64, "", "", None, None, 600, False)


def ask(cast: Cast, assessment: Assessment, **evidence: Any) -> ApprovalRequest:
    principal = PrincipalFactory.create(team=cast.team)
    subject = Subject("run-1", "runs.drive", cast.team.pk, principal.pk, cast.application.pk, None)
    with transaction.atomic():
        return request_approval(
            assessment=assessment,
            subject=subject,
            evidence={"statement": "refund A-1", **evidence},
            now=timezone.now(),
        )


def test_a_request_says_what_for_until_when_and_on_what_evidence(cast: Cast, assessment: Assessment) -> None:
    request = ask(cast, assessment, why="it is late")
    assert request.expires_at - request.created_at == timedelta(seconds=600)
    assert (request.key, request.digest, request.effect) == ("run-1:1:refund:1", "d" * 64, "irreversible")
    entry = last_entry(request.pk)
    assert entry.kind == "approval.requested"
    assert entry.facts["reasons"] == ["granted", "irreversible"]
    assert "A-1" not in str(entry.facts), "what is personal is content"
    assert services.read_evidence(request) == {"statement": "refund A-1", "why": "it is late"}


def test_evidence_can_be_erased(cast: Cast, assessment: Assessment) -> None:
    request = ask(cast, assessment)
    assign_perm("approve_calls", cast.fiona, request.tool)
    decide(request, cast.fiona, "deny", reason="no")
    assert services.read_reasons(request) == {cast.fiona.pk: "no"}
    with connection.cursor() as cursor:
        erase_contents(cursor, request.pk)
    assert (services.read_evidence(request), services.read_reasons(request)) == (
        None,
        {cast.fiona.pk: ""},
    )


def test_asking_anew_voids_what_was_asked_before(cast: Cast, assessment: Assessment) -> None:
    first = ask(cast, assessment)
    second = ask(cast, assessment)
    first.refresh_from_db()
    assert (first.state, second.state) == ("voided", "waiting")
    assert last_entry(first.pk).facts == {"code": "asked_anew"}


def test_the_database_holds_one_open_request_per_call(cast: Cast, assessment: Assessment) -> None:
    ask(cast, assessment)
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequestFactory.create(key=assessment.call.key)


def test_only_an_approval_can_be_marked_as_spent() -> None:
    for state in ("waiting", "denied", "expired", "voided"):
        with pytest.raises(IntegrityError), transaction.atomic():
            ApprovalRequestFactory.create(state=state, consumed_at=timezone.now())


def test_a_request_that_is_undone_leaves_nothing(cast: Cast, assessment: Assessment) -> None:
    with transaction.atomic():
        ask(cast, assessment)
        transaction.set_rollback(True)
    assert not ApprovalRequest.objects.exists()


# --- ends -------------------------------------------------------------------------------------------------


def test_what_nobody_decided_in_time_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(closing, "send_after_commit", lambda task, ref, **_: sent.append(ref))
    now = timezone.now()
    late = [ApprovalRequestFactory.create(expires_at=now - timedelta(seconds=n)) for n in (0, 5, 9)]
    ApprovalRequestFactory.create(expires_at=now + timedelta(seconds=5))
    decided = ApprovalRequestFactory.create(state="approved", expires_at=now - timedelta(seconds=5))
    assert expire_requests(now=now, limit=2) == 2
    assert expire_requests(now=now) == 1
    assert expire_requests(now=now) == 0
    assert {request.state for request in ApprovalRequest.objects.filter(pk__in=[r.pk for r in late])} == {
        "expired"
    }
    decided.refresh_from_db()
    assert decided.state == "approved"
    assert sorted(sent) == sorted(request.subject_ref for request in late)
    assert kinds_of(late[0].pk) == ["approval.expired"]


def test_a_subject_that_asks_no_more_takes_its_open_requests_along() -> None:
    now = timezone.now()
    mine = {
        "waiting": ApprovalRequestFactory.create(subject_ref="run-1"),
        "approved": ApprovalRequestFactory.create(subject_ref="run-1", state="approved"),
    }
    spent = ApprovalRequestFactory.create(subject_ref="run-1", state="approved", consumed_at=now)
    denied = ApprovalRequestFactory.create(subject_ref="run-1", state="denied")
    other = ApprovalRequestFactory.create(subject_ref="run-2")
    with transaction.atomic():
        assert void_requests(subject_ref="run-1", code="run_ended", now=now) == 2
    states = dict(ApprovalRequest.objects.values_list("pk", "state"))
    assert {states[request.pk] for request in mine.values()} == {"voided"}
    assert (states[spent.pk], states[denied.pk], states[other.pk]) == ("approved", "denied", "waiting")
