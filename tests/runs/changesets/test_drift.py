"""What changes between a proposal and its carrying out voids the items that it concerns, and no others."""

from __future__ import annotations

from approvals.services import read_evidence
from tests.runs import previews
from tests.runs.changesets.proposing import carry_out, propose, review
from tests.runs.company import Company


def test_an_item_shows_what_it_would_change_and_is_void_once_that_has_moved(company: Company) -> None:
    previews.show_refunds(company)
    cancel = company.add_tool("cancel")
    company.let_decide(cancel.tool)
    made = propose(company, ("refund", previews.REFUND), ("cancel", {"order_id": "A-9"}))
    evidence = read_evidence(made.item_rows.get(number=1).request) or {}
    assert evidence["preview"]["changes"] == previews.BEFORE
    review(company, made)
    previews.change_account(refunded="3.00")
    applying = carry_out(company, made)
    assert company.states(applying) == [("refused", "state_changed"), ("succeeded", "ok")]
    assert company.world.effects == [f"{made.pk}:1:cancel:2"]


def test_items_about_the_same_thing_depend_on_each_other(company: Company) -> None:
    previews.show_refunds(company)
    made = propose(company, ("refund", previews.REFUND), ("refund", {**previews.REFUND, "amount": "2.00"}))
    assert made.item_rows.get(number=2).depends_on == [1]


def test_what_has_not_moved_is_carried_out(company: Company) -> None:
    previews.show_refunds(company)
    made = propose(company, ("refund", previews.REFUND))
    review(company, made)
    assert company.states(carry_out(company, made)) == [("succeeded", "ok")]
