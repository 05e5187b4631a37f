"""What a child is kept within: the line of runs above it, the tree, and the round that a task may not make."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from agentops.identifiers import new_id
from identities.models import AgentIdentity
from runs.delegation import calling, starting
from runs.models import Run
from tests.factories import GrantFactory
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.delegation.conftest import SHARE, House
from tools.models import ToolGrant

COLOURS = {"topic": "colours"}
ASK = ("ask_researcher", COLOURS)
SMALL = {**SHARE, "steps": 2, "usd": "0.05", "tokens": 5_000}


def chain(company: Company, *slugs: str) -> House:
    """Return a house in which each agent may give tasks to the next, and, by the line above it, so may all."""
    house = House(company)
    shares = ({"steps": 9 - 2 * n, "tokens": 80_000 - 20_000 * n, "usd": str(1 - n / 5), "seconds": 80 - 20 * n}
              for n in range(len(slugs)))  # fmt: skip
    versions = [house.add_delegation(slug, share=share) for slug, share in zip(slugs, shares, strict=True)]
    for place, slug in enumerate(slugs):
        house.hire(slug, *versions[place + 1 :])
    return house


def step(house: House, run: Run, slug: str, topic: str) -> Run:
    """Let a run give the next one a task."""
    house.company.play(proposes((f"ask_{slug}", {"topic": topic})))
    house.company.drive(run)
    return house.children(run)[-1]


def test_a_child_hands_on_to_a_child_of_its_own_as_deep_as_authority_goes(company: Company) -> None:
    house = chain(company, "a", "b", "c")
    run = company.start()
    line = [run]
    for slug in ("a", "b"):
        line.append(step(house, line[-1], slug, f"part {slug}"))
    company.play(proposes(("ask_c", {"topic": "part c"})), says("I do it myself."))
    company.drive(line[-1])
    assert company.states(line[-1]) == [("refused", "delegation_too_deep")]
    assert [link["run"] for link in line[-1].line] == [str(each.pk) for each in reversed(line[:-1])]
    for child, parent in zip(reversed(line[1:]), reversed(line[:-1]), strict=True):
        assert company.drive(child).state == "completed"
        house.finish(parent)
    assert run.state == "completed"


def test_a_task_goes_round_to_nobody_whatever_its_fields_are_called(company: Company) -> None:
    house = chain(company, "a", "b")
    child = step(house, company.start(), "a", "Paint  it BLUE")
    company.play(
        proposes(("ask_b", {"topic": "paint it", "order_id": "blue"}), ("ask_b", {"topic": "paint it blue"}))
    )
    company.drive(child)
    assert company.states(child) == [("delegated", ""), ("refused", "handed_round")]


def test_an_agent_is_not_given_tasks_by_who_works_for_it(company: Company) -> None:
    house = House(company)
    first = house.add_delegation("a", share=SHARE)
    back = house.add_delegation("b", share={**SMALL, "steps": 1})
    GrantFactory.create(identity=house.hire("a", back), tool=first.tool, decision="ALLOW")
    house.hire("b", first)
    child = step(house, company.start(), "a", "colours")
    grandchild = step(house, child, "b", "sizes")
    company.play(proposes(("ask_a", {"topic": "shapes"})))
    company.drive(grandchild)
    assert company.states(grandchild) == [("refused", "delegation_cycle")]


def test_children_at_a_time_and_runs_of_a_tree_are_bounded(house: House, settings: Settings) -> None:
    settings.DELEGATION_FAN_OUT = 2
    topics = [("ask_researcher", {"topic": str(number)}) for number in range(3)]
    run = house.ask(*topics)
    assert house.company.states(run)[-1] == ("refused", "too_many_children")
    settings.DELEGATION_TREE = 1
    other = house.company.start()
    house.company.play(proposes(ASK), says("Well."))
    house.company.drive(other)
    assert house.company.states(other) == [("refused", "tree_full")]


def test_without_counting_there_is_no_end(
    house: House, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: nobody counts."""
    settings.DELEGATION_TREE = 1
    monkeypatch.setattr(starting, "_refuse_crowd", lambda parent: None)
    assert len(house.children(house.ask(ASK))) == 1


def test_no_grant_no_task(house: House) -> None:
    ToolGrant.objects.filter(identity=house.company.cast.agent).update(state="revoked")
    house.company.play(proposes(ASK), says("Well."))
    run = house.company.drive(house.company.start())
    assert house.company.states(run) == [("refused", "no_grant")]
    assert house.children(run) == []


def test_a_child_may_not_what_its_parent_may_not(company: Company) -> None:
    house = House(company)
    refund = company.add_tool("refund", grant=None)
    company.versions.remove(refund)
    house.hire("researcher", refund)
    house.add_delegation()
    run = house.ask(ASK)
    (child,) = house.children(run)
    house.answer(child, "I may not.", proposes(("refund", ORDER)))
    assert company.states(child) == [("refused", "parent_no_grant")]
    GrantFactory.create(identity=company.cast.agent, tool=refund.tool, decision="ALLOW")
    house.finish(run)


@pytest.mark.parametrize("how", ["suspended", "unknown"])
def test_an_agent_that_cannot_act_is_given_nothing_and_its_caller_goes_on(house: House, how: str) -> None:
    agent = house.workers["researcher"]
    if how == "suspended":
        AgentIdentity.objects.filter(pk=agent.pk).update(state="suspended")
    else:
        AgentIdentity.objects.filter(pk=agent.pk).update(slug="somebody-else")
    house.company.play(proposes(ASK), says("Well."))
    run = house.company.drive(house.company.start())
    codes = {"suspended": "agent_not_active", "unknown": "unknown_agent"}
    assert (run.state, house.company.states(run)) == ("completed", [("refused", codes[how])])


def test_one_call_has_one_child_whatever_a_driver_does(house: House) -> None:
    run = house.ask(ASK)
    (child,) = house.children(run)
    child.pk = new_id()
    with pytest.raises(IntegrityError), transaction.atomic():
        child.save(force_insert=True)


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("after", [False, True])
def test_a_driver_that_dies_leaves_one_child_or_none(
    house: House, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, dead = calling._start, [False]

    def die(session: Any, ready: Any) -> None:
        if after:
            start(session, ready)
        if not dead[0]:
            dead[0] = True
            raise Killed
        start(session, ready)

    monkeypatch.setattr(calling, "_start", die)
    house.company.play(proposes(ASK), says("It is blue."))
    run = house.company.start()
    with pytest.raises(Killed):
        house.company.drive(run)
    Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")
    monkeypatch.setattr(calling, "_start", start)
    house.company.play(proposes(ASK))  # what was decided and not written is decided once more
    house.company.drive(run)
    (child,) = house.children(run)
    house.answer(child)
    house.finish(run)
    assert (run.state, house.company.states(run)) == ("completed", [("succeeded", "ok")])


def test_the_share_is_bound_by_what_the_parent_has(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: nobody asks what is left, and the child has more than its parent ever had."""
    company.is_mutant = True
    house = House(company)
    house.hire("researcher", max_steps=1_000)
    house.add_delegation(share={**SHARE, "steps": 1_000})
    rewrite(monkeypatch, starting, "_find_share", "find_lacking(state, share)", "()")
    run = house.ask(ASK)
    (child,) = house.children(run)
    assert child.max_steps == 1_000 > run.max_steps
