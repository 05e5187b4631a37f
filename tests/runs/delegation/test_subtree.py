"""What a tree of runs shows and shares: people who are asked, an end that ends all, and what an undo names."""

from __future__ import annotations

from typing import Any

import pytest

from approvals.models import ApprovalRequest
from runs.models import Run
from runs.services import cancel_run, kill_run
from runs.undoing.foresight import foresee
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import GrantFactory
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.delegation.conftest import House, collect_swept
from tools.models import ToolGrant

ASK = ("ask_clerk", {"topic": "order A-1"})


def make(company: Company, grant: str = "ALLOW") -> House:
    """Return a house whose clerk may refund, on these terms, as far as the company's agent may."""
    house = House(company)
    refund = company.add_tool("refund", grant="ALLOW")
    company.versions.remove(refund)
    company.let_decide(refund.tool)
    clerk = house.hire("clerk", refund)
    ToolGrant.objects.filter(identity=clerk).update(state="superseded")
    GrantFactory.create(identity=clerk, tool=refund.tool, decision=grant)
    house.add_delegation("clerk")
    return house


def ask(house: House) -> tuple[Run, Run]:
    run = house.ask(ASK)
    return run, house.children(run)[0]


def test_nothing_skips_the_gate_because_it_is_nested(company: Company) -> None:
    house = make(company, grant="REQUIRE_APPROVAL")
    run, child = ask(house)
    company.play(proposes(("refund", ORDER)), says("Refunded."))
    assert company.drive(child).state == "requires_action"
    request = ApprovalRequest.objects.get(state="waiting")
    run.refresh_from_db()
    assert [(each["type"], each["id"]) for each in run.required_actions] == [("run", str(child.pk))]
    shown = sign_in(company.cast.fiona).get(page_of("runs_run", "change", run.pk))
    page = text_of(shown)
    assert page_of("approvals_approvalrequest", "change", request.pk) in shown.content.decode()
    assert "waits for a run of another agent" in " ".join(page.split())
    company.decide()
    assert company.drive(child).state == "completed"
    house.finish(run)
    assert (company.world.attempts, company.states(run)) == (["refund"], [("succeeded", "ok")])


@pytest.mark.parametrize("stop", [cancel_run, kill_run])
def test_who_stops_a_run_stops_its_tree(company: Company, stop: Any) -> None:
    house = make(company, grant="REQUIRE_APPROVAL")
    run, child = ask(house)
    company.play(proposes(("refund", ORDER)), says("Refunded."))
    company.drive(child)
    stop(actor=company.cast.alice, run=run)
    company.drive(run)
    child.refresh_from_db()
    assert child.wake_at is not None  # rung, at once
    company.drive(child)
    assert (child.state, child.status_reason) == ("halted", "parent_ended")
    assert ApprovalRequest.objects.get().state == "voided"
    assert company.world.attempts == []


def test_a_child_whose_bell_was_lost_is_swept(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    house = make(company)
    run, child = ask(house)
    cancel_run(actor=company.cast.alice, run=run)
    company.drive(run)
    Run.objects.filter(pk=child.pk).update(wake_at=child.expires_at)
    sent = collect_swept(monkeypatch)
    assert str(child.pk) in sent


def test_an_undo_names_what_children_did_and_where_that_is_undone(company: Company) -> None:
    house = make(company)
    run, child = ask(house)
    house.answer(child, "Refunded.", proposes(("refund", ORDER)))
    house.finish(run)
    (named,) = foresee(run.pk, run.team_id)
    assert (named.tool, named.word) == ("ask_clerk", "cannot")
    assert str(child.pk) in named.why
    assert [each.tool for each in foresee(child.pk, child.team_id)] == ["refund"]


def test_the_child_of_a_run_that_proposes_proposes_too(company: Company) -> None:
    house = make(company)
    refund = ToolGrant.objects.filter(tool__name="refund").first()
    assert refund is not None
    company.versions.append(refund.tool.versions.get())
    company.publish()
    company.play(proposes(ASK))
    run = company.drive(company.start(mode="propose"))
    (child,) = house.children(run)
    assert child.mode == "propose"
    house.answer(child, "I would refund it.", proposes(("refund", ORDER)))
    assert child.state == "requires_action"
    assert (child.required_actions[0]["type"], company.world.attempts) == ("review", [])
