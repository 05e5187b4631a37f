"""Several tasks in one step: side by side, joined by what people said of the tool, the rest called off."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ObjectDoesNotExist
from pytest_django import Settings

from approvals.models import ApprovalRequest, Confirmation
from runs.delegation import joining
from runs.models import Run
from runs.services import cancel_run
from tests.factories import GrantFactory
from tests.ledger import last_entry
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes
from tests.runs.delegation.conftest import House
from tools.models import ToolGrant

ASKS = [("ask_researcher", {"topic": topic}) for topic in ("colours", "sizes", "shapes")]


def ask_all(company: Company, **join: Any) -> tuple[House, Run, list[Run]]:
    house = House(company)
    house.hire("researcher")
    house.add_delegation(join=join or {"policy": "all"})
    run = house.ask(*ASKS)
    return house, run, house.children(run)


def test_tasks_of_one_step_are_done_side_by_side_and_all_are_waited_for(company: Company) -> None:
    house, run, children = ask_all(company)
    assert len(children) == 3
    for child in children:
        house.answer(child)
        company.play()
        assert company.drive(run).state == "in_progress" or child is children[-1]
    assert [state for state, _ in company.states(run)] == ["succeeded"] * 3


@pytest.mark.parametrize(
    ("join", "answers", "stopped"),
    [
        ({"policy": "first_success"}, 1, 2),
        ({"policy": "quorum", "needed": 2}, 2, 1),
    ],
)
def test_so_many_answers_are_enough_and_the_rest_is_called_off(
    company: Company, join: dict[str, Any], answers: int, stopped: int
) -> None:
    house, run, children = ask_all(company, **join)
    for child in children[:answers]:
        house.answer(child)
    company.drive(run)
    for child in children[answers:]:
        child.refresh_from_db()
        assert child.state == "cancelling"
        company.drive(child)
    house.finish(run)
    expected = [("succeeded", "ok")] * answers + [("failed", "not_needed")] * stopped
    assert (run.state, company.states(run)) == ("completed", expected)


def test_any_is_content_with_the_first_that_ends(company: Company) -> None:
    house, run, children = ask_all(company, policy="any")
    cancel_run(actor=company.cast.alice, run=children[0])
    company.drive(children[0])
    company.drive(run)
    for child in children[1:]:
        company.drive(child)
    house.finish(run)
    codes = [("failed", "child_cancelled"), *[("failed", "not_needed")] * 2]
    assert company.states(run) == codes


def test_a_quorum_that_cannot_come_about_any_more_is_not_waited_for(company: Company) -> None:
    house, run, children = ask_all(company, policy="quorum", needed=3)
    cancel_run(actor=company.cast.alice, run=children[0])
    company.drive(children[0])
    company.drive(run)
    assert {Run.objects.get(pk=child.pk).state for child in children[1:]} == {"cancelling"}
    for child in children[1:]:
        company.drive(child)
    house.finish(run)


def test_who_is_given_nothing_counts_and_the_next_is_not_asked_in_vain(
    company: Company, settings: Settings
) -> None:
    settings.DELEGATION_FAN_OUT = 1
    _, run, children = ask_all(company, policy="quorum", needed=3)
    assert company.states(run)[1:] == [("refused", "too_many_children"), ("refused", "not_needed")]
    assert Run.objects.get(pk=children[0].pk).state == "cancelling"


def test_what_was_called_off_is_charged_like_the_rest(company: Company) -> None:
    house, run, children = ask_all(company, policy="first_success")
    house.answer(children[0])
    company.drive(run)
    for child in children[1:]:
        company.drive(child)
    house.finish(run)
    (ended, *rest) = company.facts(run, "call.succeeded") + company.facts(run, "call.failed")
    assert ended["used"]["tokens"] > 0
    assert [facts["used"]["tokens"] for facts in rest] == [0, 0]


# --- what people are asked meanwhile -----------------------------------------------------------------------


def ask_two(company: Company, confirmation: bool = False) -> tuple[House, Run, Run]:
    """Have one of two researchers begin at once, and somebody be asked about the other; one answer is enough."""
    house, join = House(company), {"policy": "first_success", "group": "opinions"}
    house.hire("researcher")
    house.add_delegation(join=join)
    decision = "ALLOW" if confirmation else "REQUIRE_APPROVAL"
    second = house.add_delegation(
        name="ask_second", join=join, tool_grant=decision, tool_grant_confirmation=confirmation
    )
    company.let_decide(second.tool)
    run = house.ask(ASKS[0], ("ask_second", {"topic": "sizes"}))
    [child] = house.children(run)
    return house, run, child


def test_a_task_that_waits_for_a_person_is_withdrawn_once_it_is_not_needed(company: Company) -> None:
    house, run, child = ask_two(company)
    request = ApprovalRequest.objects.get()
    house.answer(child)
    house.finish(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok"), ("refused", "not_needed")])
    assert last_entry(request.pk).facts == {"code": "not_needed"}
    with pytest.raises(ObjectDoesNotExist):
        company.decide()
    assert house.children(run) == [child]


def test_so_is_one_that_waits_for_the_end_user(company: Company) -> None:
    house, run, child = ask_two(company, confirmation=True)
    assert company.states(run)[1] == ("confirming", "")
    house.answer(child)
    house.finish(run)
    assert company.states(run) == [("succeeded", "ok"), ("refused", "not_needed")]
    assert Confirmation.objects.get().state == "voided"


def test_what_a_person_had_just_approved_is_withdrawn_too(company: Company) -> None:
    house, run, child = ask_two(company)
    house.answer(child)
    request = company.decide()
    house.finish(run)
    assert company.states(run)[1] == ("refused", "not_needed")
    request.refresh_from_db()
    assert request.state == "voided"
    assert house.children(run) == [child]


def test_without_withdrawing_people_would_be_asked_on(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    rewrite(monkeypatch, joining, "_withdraw", "if not call.approval and not call.confirmation:", "if True:")
    house, run, child = ask_two(company)
    house.answer(child)
    house.finish(run)
    assert ApprovalRequest.objects.get().state == "waiting"


def test_what_a_child_asks_people_for_is_withdrawn_with_it(company: Company) -> None:
    house = House(company)
    refund = company.add_tool("refund", grant="ALLOW")
    company.let_decide(refund.tool)
    worker = house.hire("researcher", refund)
    ToolGrant.objects.filter(identity=worker).update(state="superseded")
    GrantFactory.create(identity=worker, tool=refund.tool, decision="REQUIRE_APPROVAL")
    house.add_delegation(join={"policy": "first_success"})
    run = house.ask(*ASKS[:2])
    asking, answering = house.children(run)
    company.play(proposes(("refund", ORDER)))
    assert company.drive(asking).state == "requires_action"
    house.answer(answering)
    company.drive(run)
    assert company.drive(asking).state == "cancelled"
    house.finish(run)
    assert company.states(run) == [("failed", "not_needed"), ("succeeded", "ok")]
    assert ApprovalRequest.objects.get().state == "voided"
    assert company.world.effects == []


def test_without_calling_off_the_rest_goes_on(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what is not needed is noted, and nobody tells the child."""
    company.is_mutant = True
    rewrite(
        monkeypatch, joining, "call_off", "_cancel(session.context.identity_id, UUID(call.child))", "pass"
    )
    house, run, children = ask_all(company, policy="first_success")
    house.answer(children[0])
    company.drive(run)
    assert {Run.objects.get(pk=child.pk).state for child in children[1:]} == {"queued"}
