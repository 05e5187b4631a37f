"""Requests for approval and the decision about them."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from guardian.shortcuts import assign_perm

from agentops.console.enrolment import issue_enrolment_code
from agentops.console.second_factor import SESSION_KEY
from agentops.ledger.store import erase_contents
from approvals.models import ApprovalDecision, ApprovalRequest
from identities.models import ApiKey
from runs.models import Run
from tests.api.caller import Caller
from tests.api.conftest import Callers
from tests.approvals.bending import unguarded
from tests.cast import Cast
from tests.console.visits import ELSEWHERE
from tests.factories import ApprovalRequestFactory, give_second_factor
from tests.factories.identities import current_code
from tests.runs.company import ORDER, Company, proposes, says


@pytest.fixture
def run(company: Company) -> Run:
    """A run that waits for Fiona."""
    version = company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    return company.run(
        proposes(("refund", ORDER), text="It is broken."), says("Refunded."), message="Refund me."
    )


@pytest.fixture
def waiting(run: Run) -> ApprovalRequest:
    return ApprovalRequest.objects.get()


def step_up(cast: Cast, callers: Callers) -> None:
    code = current_code(TOTPDevice.objects.get(user=cast.fiona))
    assert callers.fiona.post("/step-up", {"otp": code}).status == 200


def decision(request: ApprovalRequest, **changes: object) -> dict[str, Any]:
    return {"verdict": "approve", "reason": "Seen the photo.", "digest": request.digest, **changes}


def path_of(request: ApprovalRequest) -> str:
    return f"/approvals/{request.pk}/decision"


def test_a_request_shows_what_a_person_needs(callers: Callers, waiting: ApprovalRequest, run: Run) -> None:
    shown = callers.fiona.get(f"/approvals/{waiting.pk}").body
    assert (shown["agent"], shown["tool"], shown["effect"]) == ("refunds-agent", "refund", "irreversible")
    assert (shown["state"], shown["digest"], shown["subject_ref"]) == ("waiting", waiting.digest, str(run.pk))
    assert shown["evidence"]["arguments"] == ORDER
    assert "Refund me." in str(shown["evidence"])
    assert callers.fiona.get("/approvals?decidable=true&state=waiting").body["data"] == [shown]
    assert callers.app.get(f"/runs/{run.pk}").body["required_actions"][0]["id"] == str(waiting.pk)


def test_a_person_approves_with_a_second_factor_and_the_run_goes_on(
    company: Company, cast: Cast, callers: Callers, waiting: ApprovalRequest, run: Run
) -> None:
    cold = callers.fiona.post(path_of(waiting), decision(waiting), key="k1")
    assert (cold.status, cold.code) == (403, "second_factor_required")
    step_up(cast, callers)
    decided = callers.fiona.post(path_of(waiting), decision(waiting), key="k1")
    assert (decided.status, decided.body["state"]) == (200, "approved")
    again = callers.fiona.post(path_of(waiting), decision(waiting), key="k1")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (decided.body, "true")
    assert ApprovalDecision.objects.get().channel == "api"
    assert company.drive(run).state == "completed"
    assert len(company.world.effects) == 1


def test_a_session_that_must_still_enrol_decides_nothing(cast: Cast, waiting: ApprovalRequest) -> None:
    """Whoever issued the one-time code could else decide in the person's name."""
    cast.fiona.set_password("correct horse")
    cast.fiona.save()
    code = issue_enrolment_code(actor=cast.ada, user=cast.fiona)
    client = Client(REMOTE_ADDR=ELSEWHERE, raise_request_exception=False)
    form = {"username": cast.fiona.get_username(), "password": "correct horse", "otp_token": code}
    assert client.post(reverse("admin:login"), form).status_code == 302
    refused = Caller(client=client).post(path_of(waiting), decision(waiting), key="k1")
    assert (refused.status, refused.code) == (401, "not_authenticated")
    assert SESSION_KEY not in client.session
    assert not ApprovalDecision.objects.exists()


def test_the_window_closes(cast: Cast, callers: Callers, waiting: ApprovalRequest) -> None:
    step_up(cast, callers)
    ApiKey.objects.filter(user=cast.fiona).update(verified_until=timezone.now())
    assert callers.fiona.post(path_of(waiting), decision(waiting), key="k1").code == "second_factor_required"


def test_a_denial_needs_a_reason_and_reaches_the_model(
    company: Company, cast: Cast, callers: Callers, waiting: ApprovalRequest, run: Run
) -> None:
    step_up(cast, callers)
    mute = callers.fiona.post(path_of(waiting), decision(waiting, verdict="deny", reason=""), key="k1")
    assert (mute.status, mute.code) == (422, "reason_missing")
    assert callers.fiona.post(path_of(waiting), decision(waiting, verdict="deny"), key="k2").status == 200
    company.drive(run)
    assert company.states(run)[0] == ("refused", "denied_by_human")
    assert company.world.effects == []


def test_what_is_decided_expired_or_changed_is_a_conflict(
    cast: Cast, callers: Callers, waiting: ApprovalRequest
) -> None:
    step_up(cast, callers)
    stale = callers.fiona.post(path_of(waiting), decision(waiting, digest="0" * 64), key="k1")
    assert (stale.status, stale.code) == (409, "digest_changed")
    with time_machine.travel(waiting.expires_at, tick=False):
        step_up(cast, callers)
        expired = callers.fiona.post(path_of(waiting), decision(waiting), key="k2")
    assert (expired.status, expired.code) == (409, "approval_expired")
    for state in ("approved", "denied", "voided"):
        with unguarded():
            ApprovalRequest.objects.update(state=state)
        decided = callers.fiona.post(path_of(waiting), decision(waiting), key="k3")
        assert (decided.status, decided.code) == (409, "approval_decided")
    assert not ApprovalDecision.objects.exists()


def test_only_those_who_may(cast: Cast, callers: Callers, waiting: ApprovalRequest) -> None:
    refusals = {
        "app": callers.app.post(path_of(waiting), decision(waiting), key="k"),
        "bob": callers.bob.post(path_of(waiting), decision(waiting), key="k"),
        "charlie": callers.charlie.post(path_of(waiting), decision(waiting), key="k"),
        "stranger": callers.stranger.post(path_of(waiting), decision(waiting), key="k"),
    }
    assert {who: (answer.status, answer.code) for who, answer in refusals.items()} == {
        "app": (403, "not_a_person"),
        "bob": (403, "not_an_approver"),
        "charlie": (404, "unknown_approval"),
        "stranger": (401, "not_authenticated"),
    }


def test_the_owner_does_not_approve(cast: Cast, callers: Callers, waiting: ApprovalRequest) -> None:
    assign_perm("approve_calls", cast.alice, waiting.tool)
    give_second_factor(cast.alice)
    refused = callers.alice.post(path_of(waiting), decision(waiting), key="k")
    assert (refused.status, refused.code) == (403, "owns_the_agent")
    assert callers.alice.get("/approvals?decidable=true").body["data"] == []


def test_a_filter_for_what_may_be_decided_filters_both_ways(
    cast: Cast, callers: Callers, waiting: ApprovalRequest
) -> None:
    assign_perm("approve_calls", cast.alice, waiting.tool)

    def listed(caller: Caller, decidable: str) -> list[str]:
        return [each["id"] for each in caller.get(f"/approvals?decidable={decidable}").body["data"]]

    for caller, may_decide in ((callers.fiona, True), (callers.alice, False), (callers.bob, False)):
        assert listed(caller, "true") == [str(waiting.pk)] * may_decide
        assert listed(caller, "false") == [str(waiting.pk)] * (not may_decide)
    ApprovalRequest.objects.update(state="denied", decided_at=timezone.now())
    assert listed(callers.fiona, "false") == [str(waiting.pk)]


def test_a_decision_needs_a_key(callers: Callers, waiting: ApprovalRequest) -> None:
    assert callers.fiona.post(path_of(waiting), decision(waiting)).code == "idempotency_key_missing"


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "yes"},
        {"verdict": None},
        {"verdict": 1},
        {"digest": "short"},
        {"digest": None},
        {"reason": "x" * 2_001},
        {"reason": 5},
        {"force": True},
    ],
)
def test_a_malformed_decision_is_refused(
    callers: Callers, waiting: ApprovalRequest, changes: dict[str, object]
) -> None:
    refused = callers.fiona.post(path_of(waiting), decision(waiting, **changes), key="k")
    assert (refused.status, refused.code) == (422, "validation_failed")


def test_erased_evidence_is_null(callers: Callers, waiting: ApprovalRequest) -> None:
    with connection.cursor() as cursor:
        erase_contents(cursor, waiting.pk)
    assert callers.fiona.get(f"/approvals/{waiting.pk}").body["evidence"] is None


def test_outsiders_see_no_request(callers: Callers, waiting: ApprovalRequest) -> None:
    assert callers.charlie.get(f"/approvals/{waiting.pk}").status == 404
    assert callers.charlie.get("/approvals").body["data"] == []
    assert len(callers.app.get("/approvals").body["data"]) == 1


def test_queries_do_not_grow_with_requests(cast: Cast, callers: Callers) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert callers.bob.get("/approvals?limit=100").status == 200
        return len(queries)

    ApprovalRequestFactory.create(identity=cast.agent)
    callers.bob.get("/approvals")
    with_one = count()
    for _ in range(6):
        ApprovalRequestFactory.create(identity=cast.agent)
    assert count() == with_one
