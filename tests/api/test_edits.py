"""Editing a call and asking the agent, through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django_otp.plugins.otp_totp.models import TOTPDevice

from approvals.models import ApprovalDecision, ApprovalRequest
from runs.models import Run
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.factories.identities import current_code
from tests.runs.company import Company
from tests.runs.test_edits import HIGH, LOW, add_refund, ask_for


@pytest.fixture
def run(company: Company) -> Run:
    add_refund(company)
    return ask_for(company, HIGH)


@pytest.fixture
def waiting(run: Run) -> ApprovalRequest:
    return ApprovalRequest.objects.get()


def step_up(cast: Cast, callers: Callers) -> None:
    code = current_code(TOTPDevice.objects.get(user=cast.fiona))
    assert callers.fiona.post("/step-up", {"otp": code}).status == 200


def at(request: ApprovalRequest, what: str) -> str:
    return f"/approvals/{request.pk}/{what}"


def body(request: ApprovalRequest, **more: Any) -> dict[str, Any]:
    return {"arguments": LOW, "digest": request.digest, **more}


def test_a_call_is_looked_at_then_had_like_that(
    company: Company, cast: Cast, callers: Callers, run: Run, waiting: ApprovalRequest
) -> None:
    seen = callers.fiona.post(at(waiting, "edit/preview"), body(waiting)).body
    assert seen["changes"] == [{"argument": "amount", "before": "90.00", "after": "9.00"}]
    assert (seen["asks_people"], seen["stages"], seen["factor"]) == (
        True,
        [{"needed": 1, "group": None}],
        "any",
    )
    wanted = body(waiting, edited_digest=seen["digest"], reason="half")
    cold = callers.fiona.post(at(waiting, "edit"), wanted, key="k1")
    assert (cold.status, cold.code) == (403, "second_factor_required")
    step_up(cast, callers)
    done = callers.fiona.post(at(waiting, "edit"), wanted, key="k1")
    assert (done.status, done.body["state"]) == (200, "edited")
    again = callers.fiona.post(at(waiting, "edit"), wanted, key="k1")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (done.body, "true")
    assert ApprovalDecision.objects.count() == 1
    assert company.states(company.drive(run)) == [("succeeded", "ok")]
    after = ApprovalRequest.objects.get(state="approved")
    shown = callers.fiona.get(f"/approvals/{after.pk}").body
    assert (shown["follows"], shown["edited_by"]) == (str(waiting.pk), "fiona")
    assert [(each["by"], each["by_edit"]) for each in shown["decisions"]] == [("fiona", True)]
    call = callers.app.get(f"/runs/{run.pk}/steps").body["data"][0]["calls"][0]
    assert (call["arguments"], call["edited"]) == (LOW, {"by": "fiona", "before": HIGH, "reason": "half"})


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"arguments": HIGH}, 422, "nothing_edited"),
        ({"arguments": {"order_id": "A-1"}}, 422, "invalid_arguments"),
        ({"arguments": [1]}, 422, "invalid_arguments"),
        ({"digest": "e" * 64}, 409, "digest_changed"),
        ({"arguments": {"order_id": "x" * 70_000, "amount": "1.00"}}, 422, "arguments_too_large"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_may_not_go_out_is_refused(
    callers: Callers, waiting: ApprovalRequest, changes: dict[str, Any], status: int, code: str
) -> None:
    answer = callers.fiona.post(at(waiting, "edit/preview"), {**body(waiting), **changes})
    assert (answer.status, answer.code) == (status, code)


def test_a_megabyte_is_refused(callers: Callers, waiting: ApprovalRequest) -> None:
    large = {"order_id": "x" * 1_100_000, "amount": "1.00"}
    answer = callers.fiona.post(at(waiting, "edit/preview"), {**body(waiting), "arguments": large})
    assert answer.status in (413, 422)


def test_the_agent_is_asked(
    company: Company, cast: Cast, callers: Callers, run: Run, waiting: ApprovalRequest
) -> None:
    step_up(cast, callers)
    asked = callers.fiona.post(
        at(waiting, "question"), {"question": "How broken?", "digest": waiting.digest}, key="k1"
    )
    assert (asked.status, asked.body["state"]) == (200, "asked")
    company.drive(run)
    assert company.observations()[0]["question"] == "How broken?"


def test_a_preset_is_listed_and_denies(cast: Cast, callers: Callers, waiting: ApprovalRequest) -> None:
    listed = callers.fiona.get(f"/approvals/{waiting.pk}").body["denial_reasons"]
    assert {"code": "wrong_amount", "words": "The amount is not right."} in listed
    step_up(cast, callers)
    denial = {"verdict": "deny", "preset": "wrong_amount", "digest": waiting.digest}
    assert callers.fiona.post(at(waiting, "decision"), denial, key="k1").body["state"] == "denied"
    [given] = callers.fiona.get(f"/approvals/{waiting.pk}").body["decisions"]
    assert given["preset"] == "wrong_amount"


@pytest.mark.parametrize("what", ["edit/preview", "edit", "question"])
def test_outsiders_are_refused(callers: Callers, waiting: ApprovalRequest, what: str) -> None:
    sent = {
        "edit/preview": body(waiting),
        "edit": body(waiting, edited_digest="e" * 64),
        "question": {"question": "Why?", "digest": waiting.digest},
    }[what]
    assert callers.charlie.post(at(waiting, what), sent, key="k1").status == 404
    assert callers.bob.post(at(waiting, what), sent, key="k2").code == "not_an_approver"
    assert callers.app.post(at(waiting, what), sent, key="k3").code == "not_a_person"
    assert not ApprovalDecision.objects.exists()
