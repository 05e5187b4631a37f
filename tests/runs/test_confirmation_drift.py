"""What the end user confirmed is what goes out: where anything is different meanwhile, they are asked anew."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.models import Confirmation
from runs.actions import executing, pinning
from runs.models import Run
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.previews import BEFORE, change_account, show_refunds, turns
from tests.runs.test_confirmations import answer, asked
from tests.runs.test_edits import edit

TERMS: dict[str, Any] = {"grant": "ALLOW", "effect": "reversible", "grant_confirmation": True}


@pytest.fixture
def asking(company: Company) -> Run:
    """Return a run whose refund waits for its user, who is shown what it changes."""
    show_refunds(company, **TERMS)
    run = company.run(*turns())
    assert company.states(run) == [("confirming", "")]
    return run


def test_the_user_is_shown_what_it_changes(company: Company, asking: Run) -> None:
    assert company.content(asking, "confirmation.requested")["preview"]["changes"] == BEFORE


def test_what_has_not_changed_goes_out(company: Company, asking: Run) -> None:
    answer(company)
    assert company.states(company.drive(asking)) == [("succeeded", "ok")]


@pytest.mark.parametrize("when", ["before the answer", "after it"])
def test_a_target_that_moved_on_voids_it_and_the_user_is_asked_anew(
    company: Company, asking: Run, when: str
) -> None:
    first = asked()
    if when == "before the answer":
        change_account(status="returned")
    answer(company)
    if when == "after it":
        change_account(status="returned")
    run = company.drive(asking)
    assert (company.world.effects, company.states(run)) == ([], [("confirming", "")])
    first.refresh_from_db()
    assert (first.state, asked().digest != first.digest) == ("voided", True)
    shown = company.content(run, "confirmation.requested")["preview"]
    assert "returned" in str(shown["since"])
    answer(company)
    assert company.states(company.drive(run)) == [("succeeded", "ok")]
    assert len(company.world.effects) == 1


def test_mutant_that_does_not_look_again_makes_what_nobody_confirmed(
    company: Company, asking: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    blind = rewrite(monkeypatch, pinning, "pin_for_attempt", "if call.attempts:", "if True:")
    monkeypatch.setattr(executing, "pin_for_attempt", blind)
    answer(company)
    change_account(status="returned")
    assert company.states(company.drive(asking)) == [("succeeded", "ok")]


def test_what_an_approver_makes_of_it_the_user_has_to_confirm_too(company: Company) -> None:
    tool = company.add_tool("refund", grant="REQUIRE_APPROVAL", grant_confirmation=True).tool
    company.let_decide(tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    first = answer(company)
    run = company.drive(run)
    edit(company, {"order_id": "A-2"})
    run = company.drive(run)
    assert (company.world.effects, company.states(run)) == ([], [("confirming", "")])
    assert asked().digest != first.digest
    [shown] = [entry.content for entry in company.entries(run) if entry.kind == "call.edited"]
    assert "A-2" in str(shown)
    answer(company)
    run = company.drive(run)
    assert company.states(run) == [("succeeded", "ok")]
    assert len(company.world.effects) == 1
    assert Confirmation.objects.get(consumed_at__isnull=False).digest != first.digest
