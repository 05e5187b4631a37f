"""An approval whose call went out under a waiver stays unused, and lets no other call through."""

from __future__ import annotations

from typing import Any

import pytest

from approvals import gate
from approvals.models import ApprovalRequest
from approvals.services import request_approval
from runs.actions import gating
from runs.models import Run
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import Company, proposes, says
from tests.runs.test_grant_terms import REFUND, sign_waivers


def approve_then_waive(company: Company, *later: Any) -> tuple[Run, ApprovalRequest]:
    """Return a run whose one waiting call was approved before a waiver allowed it, and that approval."""
    version = company.add_tool("refund", effect="irreversible", amount_argument="amount", grant="ALLOW")
    company.let_decide(version.tool)
    run = company.run(proposes(REFUND), *later, says("Done."))
    assert company.states(run)[0][0] == "waiting"
    approval = company.decide()
    sign_waivers(company, version)
    return run, approval


def play_it_twice(company: Company) -> tuple[Run, ApprovalRequest]:
    """Drive a run that proposes the same again, when its first call has ended and people are asked again."""

    def end_the_waiver(do: Any) -> Any:
        company.grant(company.versions[0].tool, "ALLOW")
        return do()

    run, approval = approve_then_waive(company, proposes(REFUND))
    company.world.mishaps.append(end_the_waiver)
    return company.drive(run), approval


def is_unused(approval: ApprovalRequest) -> bool:
    approval.refresh_from_db()
    return (approval.state, approval.consumed_at) == ("approved", None)


def test_a_call_that_a_waiver_allows_meanwhile_leaves_its_approval_unused(company: Company) -> None:
    run, approval = approve_then_waive(company)
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert len(company.world.effects) == 1
    assert is_unused(approval)


def test_the_same_proposed_later_is_asked_about_anew(company: Company) -> None:
    run, approval = play_it_twice(company)
    assert [state for state, _ in company.states(run)] == ["succeeded", "waiting"]
    asked = ApprovalRequest.objects.get(state="waiting")
    assert asked.digest != approval.digest
    assert asked.key != approval.key
    company.decide("deny")
    run = company.drive(run)
    assert company.states(run) == [("succeeded", "ok"), ("refused", "denied_by_human")]
    assert len(company.world.effects) == 1
    assert is_unused(approval)


@pytest.fixture
def take_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the second call wait for the approval that the first one left."""

    def find_or_ask(**asked: Any) -> ApprovalRequest:
        return ApprovalRequest.objects.filter(state="approved").first() or request_approval(**asked)

    monkeypatch.setattr(gating, "request_approval", find_or_ask)


@pytest.mark.usefixtures("take_the_old_one")
def test_what_was_left_unused_covers_no_other_call(company: Company) -> None:
    run, approval = play_it_twice(company)
    run = company.drive(run)
    assert company.states(run) == [("succeeded", "ok"), ("refused", "approval_voided")]
    assert len(company.world.effects) == 1
    assert is_unused(approval)


@pytest.mark.usefixtures("take_the_old_one")
def test_unbound_what_was_left_unused_would_pay_twice(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    bound = "digest != assessment.digest or key != assessment.call.key"
    rewrite(monkeypatch, gate, "_check_approval", bound, "False")
    rewrite_text(monkeypatch, gate, "CONSUME", "AND digest = %(digest)s AND key = %(key)s", "")
    run, _ = play_it_twice(company)
    run = company.drive(run)
    assert company.states(run) == [("succeeded", "ok")] * 2
    assert len(company.world.effects) == 2
