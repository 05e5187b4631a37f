"""Where the ways to decide meet: batches, deputies, edits, and calls that are bound to the state of their target."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import ValidationFailed
from approvals.absences import declare_absence
from approvals.edits import edit_call, look_at_edit
from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalRequest
from runs import reassessing
from runs.models import Run
from tests.approvals.batching import codes_of, decide, put_together, states_of
from tests.approvals.conftest import company
from tests.approvals.test_deputies import away, leave
from tests.approvals.test_quorum import approver
from tests.ledger import entries_of
from tests.runs.company import Company
from tests.runs.deeds import ACCOUNT, WORLD
from tests.runs.previews import REFUND, change_account, show_refunds, turns
from tests.runs.test_edits import HIGH, LOW, add_refund, ask_for
from tests.runs.test_edits import edit as edit_as

__all__ = ["company"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals]


@pytest.fixture
def waiting(company: Company) -> Run:
    """Return a run whose refund waits for Fiona, who has been shown what it changes."""
    show_refunds(company)
    return company.run(*turns())


def present() -> ApprovalRequest:
    return ApprovalRequest.objects.get(state="waiting")


def edit(company: Company, request: ApprovalRequest, amount: str) -> None:
    """Have Fiona look at the call with another amount, and approve that."""
    asked: dict[str, Any] = {
        "request": request,
        "arguments": {**REFUND, "amount": amount},
        "digest": request.digest,
    }
    look = look_at_edit(actor=company.cast.fiona, **asked)
    assert look.words is not None
    edit_call(
        actor=company.cast.fiona,
        edited=look.digest,
        reason="Less.",
        channel="api",
        second_factor=True,
        **asked,
    )


# --- batches -----------------------------------------------------------------------------------------------


def test_a_call_that_shows_its_state_is_approved_with_others(company: Company, waiting: Run) -> None:
    batch = put_together(company.cast.fiona, [present()])
    assert (codes_of(batch), states_of(batch)) == ({}, {"ready": 1})
    decide(company.cast.fiona, batch)
    assert company.states(company.drive(waiting)) == [("succeeded", "ok")]


def test_without_its_state_it_would_be_another_call(
    company: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reassessing, "_read_states", lambda _: {})
    request = present()
    assert codes_of(put_together(company.cast.fiona, [request])) == {str(request.pk): "call_differs"}


def test_approved_with_others_it_does_not_go_out_for_another_state(company: Company, waiting: Run) -> None:
    decide(company.cast.fiona, put_together(company.cast.fiona, [present()]))
    change_account()
    company.drive(waiting)
    assert "refund" not in WORLD.attempts
    assert present().state == "waiting"


def test_a_deputy_decides_them_together_too(company: Company, waiting: Run) -> None:
    bob, request = company.cast.bob, present()
    company.let_decide(company.add_tool("cancel", grant=None).tool, bob)
    declare_absence(actor=company.cast.fiona, leave=leave(company.cast.fiona, bob))
    decide(bob, put_together(bob, [request]))
    assert request.decisions.get().deputy_for == company.cast.fiona


# --- edits -------------------------------------------------------------------------------------------------


def test_an_edit_is_bound_to_what_it_would_change(company: Company, waiting: Run) -> None:
    edit(company, present(), "3.00")
    company.drive(waiting)
    assert [(row.state, row.code) for row in company.calls(waiting)] == [("succeeded", "ok")]
    approved = ApprovalRequest.objects.get(state="approved")
    assert approved.decisions.get().by_edit
    assert WORLD.attempts.count("refund") == 1


def test_what_a_look_asks_of_tools_is_on_record_with_who_had_it_asked(company: Company, waiting: Run) -> None:
    request = present()
    asked: dict[str, Any] = {"request": request, "digest": request.digest}
    for number in range(2):
        wanted = {**REFUND, "order_id": f"A-{number + 7}"}
        look_at_edit(actor=company.cast.fiona, arguments=wanted, **asked)
    looked = [entry for entry in entries_of(request.pk) if entry.kind == "approval.edit_looked_at"]
    assert {entry.actor for entry in looked} == {company.cast.fiona.pk}
    assert len([each for entry in looked for each in entry.facts["lookups"]]) == 2


def test_a_look_at_what_cannot_be_read_is_on_record_too(company: Company, waiting: Run) -> None:
    request = present()
    ACCOUNT.pop("version")
    with pytest.raises(ValidationFailed, match="could not be read"):
        edit(company, request, "3.00")
    assert [entry.kind for entry in entries_of(request.pk)][-1] == "approval.edit_looked_at"


def rule(company: Company, *stages: dict[str, Any], **more: Any) -> None:
    ruling = Ruling("Later", stages, **more)
    set_approval_rule(actor=company.cast.ada, team=company.cast.team, place=1, ruling=ruling)


def test_an_edit_is_no_yes_in_somebody_elses_seat(company: Company) -> None:
    add_refund(company)
    bee, hal = approver(company, "bee"), approver(company, "hal", "heads")
    run = ask_for(company, HIGH)
    edit_as(company, LOW, bee)  # in her own seat
    rule(company, {"needed": 1, "group": "heads"})
    away(hal, bee)
    company.drive(run)
    assert present().decisions.count() == 0


def test_an_edit_without_a_reason_is_no_yes_where_one_is_asked(company: Company) -> None:
    add_refund(company)
    run = ask_for(company, HIGH)
    edit_as(company, LOW)
    rule(company, {"needed": 1}, reason_required=True)
    company.drive(run)
    assert present().reason_required


def test_an_edit_counts_for_no_other_state(company: Company, waiting: Run) -> None:
    edit(company, present(), "3.00")
    change_account()
    company.drive(waiting)
    assert not present().decisions.exists()
    assert "refund" not in WORLD.attempts
