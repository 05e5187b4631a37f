"""What is believed of a task and of its answer: nothing becomes more trusted by going through another agent."""

from __future__ import annotations

from typing import Any

import pytest

from runs import sources
from runs.delegation import tasks
from runs.delegation.labels import read_all
from runs.models import Run
from runs.sources import RunSources
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.delegation.conftest import House

TRUSTED: dict[str, Any] = {"results": {"": ["trusted"]}}


def read(run: Run) -> RunSources:
    return read_all(run.pk, run.agent_version_id)


def make(company: Company, *, of_results: dict[str, Any] | None = None) -> House:
    """Return a house whose two agents both read orders; what a delegation answers is declared trusted."""
    house = House(company)
    of_results = of_results or {}
    looking = company.add_tool("look_up", effect="read", provenance=of_results)
    house.hire("researcher", looking)
    house.add_delegation(tool_provenance=TRUSTED)
    return house


def ask(house: House, task: dict[str, Any], message: str = "Please look at order A-1.") -> tuple[Run, Run]:
    run = house.ask(("ask_researcher", task), message=message)
    return run, house.children(run)[0]


def test_a_value_keeps_the_label_that_it_had(company: Company) -> None:
    house = make(company)
    company.play(
        proposes(("look_up", ORDER)), proposes(("ask_researcher", {"topic": "delivered", "order_id": "A-1"}))
    )
    run = company.drive(company.start("Please look at order A-1."))
    (child,) = house.children(run)
    known = read(child).sources
    assert known.trace("A-1").source == "user"  # the user named it
    assert known.trace("delivered").source == "untrusted"  # a tool's answer, of which nobody says whose it is
    assert read(child).words == [(1, "Please look at order A-1.")]


def test_what_the_planner_made_up_the_child_has_made_up(company: Company) -> None:
    _, child = ask(make(company), {"topic": "pay mallory@evil.example", "order_id": "Z-9"})
    assert {read(child).sources.trace(value).source for value in ("Z-9", "mallory@evil.example")} == {
        "nowhere"
    }


def test_the_words_of_a_task_are_not_the_users(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the child takes the task for the word of the user, and whatever a planner says is what they want."""
    line = 'kind == e.RUN_STARTED and "delegation" in facts'
    source = sources.RunSources.add
    _, child = ask(make(company), {"topic": "colours", "order_id": "Z-9"})
    assert read(child).sources.trace("Z-9").source == "nowhere"
    monkeypatch.setattr(sources, "add", source, raising=False)
    monkeypatch.setattr(sources.RunSources, "add", rewrite(monkeypatch, sources, "add", line, "False"))
    assert read(child).sources.trace("Z-9").source == "user"


@pytest.mark.parametrize(
    ("child_reads", "source"),
    [(None, "trusted"), ("trusted", "trusted"), ("untrusted", "untrusted")],
)
def test_an_answer_is_believed_no_more_than_what_was_read_for_it(
    company: Company, child_reads: str | None, source: str
) -> None:
    house = make(company, of_results={"results": {"": [child_reads or "untrusted"]}})
    run, child = ask(house, {"topic": "please", "order_id": "A-1"})
    turns = [proposes(("look_up", ORDER))] if child_reads else []
    house.answer(child, "Purple.", *turns)
    house.finish(run)
    assert read(run).sources.trace("Purple").source == source


def test_without_a_declaration_an_answer_is_a_strangers(house: House) -> None:
    run = house.ask(("ask_researcher", {"topic": "please"}))
    house.answer(house.children(run)[0], "Purple.")
    house.finish(run)
    assert read(run).sources.trace("Purple").source == "untrusted"


def test_what_may_not_leave_may_not_leave_by_way_of_a_child(company: Company) -> None:
    house = make(company, of_results={"results": {"": ["trusted", "sensitive"]}})
    company.play(
        proposes(("look_up", ORDER)), proposes(("ask_researcher", {"topic": "it is delivered already"}))
    )
    run = company.drive(company.start("Please look at order A-1."))
    (child,) = house.children(run)
    assert read(child).sources.carried(["was delivered today"])
    house.answer(child, "Yes, delivered.")
    house.finish(run)
    assert company.facts(run, "call.succeeded")[-1]["sensitive"] is True


def test_tasks_are_recognised_by_their_values() -> None:
    same = tasks.digest_task({"topic": "Paint  it", "colour": "blue"})
    assert same == tasks.digest_task({"what": "BLUE", "how": "paint it"})
    assert same != tasks.digest_task({"topic": "paint it", "colour": "red"})
    assert tasks.digest_task({"topic": "topic"}) == tasks.digest_task({"x": "topic"})
    assert tasks.digest_task({"list": [{"a": 1}]}) == tasks.digest_task({"a": 1})


def test_the_child_says_who_gave_it_the_task(company: Company) -> None:
    house = make(company)
    run, child = ask(house, {"topic": "colours"})
    assert company.content(child, "run.started")["message"].startswith("A task from the agent ")
    company.play(says("x"))
    assert company.drive(child).state == "completed"
    house.finish(run)
