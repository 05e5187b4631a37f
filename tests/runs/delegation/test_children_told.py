"""What the API tells of a run's children: which they are, who gave them their task, what they have used."""

from __future__ import annotations

from decimal import Decimal

import pytest

from runs import family
from runs.models import Run
from tests.api.conftest import Callers, callers, keys
from tests.factories import RunFactory
from tests.rewriting import rewrite_text
from tests.runs.company import Company
from tests.runs.delegation.conftest import House
from tests.runs.delegation.test_bounds import chain, step

__all__ = ["callers", "keys"]  # fixtures

ASKS = [("ask_researcher", {"topic": topic}) for topic in ("colours", "sizes", "shapes")]


def test_children_are_listed_page_by_page_with_the_call_that_gave_them_their_task(
    house: House, callers: Callers
) -> None:
    run = house.ask(*ASKS)
    expected = [str(child.pk) for child in reversed(house.children(run))]
    path = f"/runs/{run.pk}/children"
    assert callers.app.get(f"/runs/{run.pk}").body["links"]["children"].endswith(path)
    first = callers.app.get(f"{path}?limit=2").body
    rest = callers.app.get(f"{path}?limit=2&cursor={first['next_cursor']}").body
    assert (first["has_more"], rest["has_more"]) == (True, False)
    listed = [*first["data"], *rest["data"]]
    assert [each["id"] for each in listed] == expected
    assert [each["given_by"] for each in listed] == [{"step": 1, "call": call} for call in (3, 2, 1)]
    assert {(each["parent_run"], each["agent"]) for each in listed} == {(str(run.pk), "researcher")}


def test_the_children_of_others_are_not_there(house: House, callers: Callers) -> None:
    run = house.ask(ASKS[0])
    assert len(callers.bob.get(f"/runs/{run.pk}/children").body["data"]) == 1
    stranger = callers.charlie.get(f"/runs/{run.pk}/children")
    assert (stranger.status, stranger.code) == (404, "unknown_run")
    [child] = house.children(run)
    assert callers.app.get(f"/runs/{child.pk}/children").body["data"] == []


def test_one_that_was_started_on_its_behalf_is_a_child_that_no_call_gave_its_task(
    house: House, callers: Callers
) -> None:
    run = house.ask(ASKS[0])
    RunFactory.create(agent_version__identity=house.company.cast.agent, parent=run)
    newest, given = callers.bob.get(f"/runs/{run.pk}/children").body["data"]
    assert (newest["given_by"], given["given_by"]) == (None, {"step": 1, "call": 1})
    assert callers.bob.get(f"/runs/{run.pk}").body["children_used"]["runs"] == 1


def tell_used(callers: Callers, run: Run) -> dict[str, object]:
    used: dict[str, object] = callers.bob.get(f"/runs/{run.pk}").body["children_used"]
    return used


def add_up(runs: list[Run]) -> dict[str, object]:
    return {
        "runs": len(runs),
        "steps": sum(run.steps for run in runs),
        "tokens": sum(run.tokens for run in runs),
        "usd": f"{sum((run.usd for run in runs), Decimal(0)):.8f}",
        "seconds": sum(run.worked_ms for run in runs) / 1000,
    }


def have_grandchildren(company: Company) -> tuple[House, Run, Run, Run]:
    """Have a run give a task to another, which gives a part of it to a third."""
    house = chain(company, "a", "b")
    run = company.start()
    child = step(house, run, "a", "part a")
    grandchild = step(house, child, "b", "part b")
    house.answer(grandchild)
    house.finish(child)
    for each in (run, child, grandchild):
        each.refresh_from_db()
    return house, run, child, grandchild


def test_the_run_says_what_those_below_it_have_used(company: Company, callers: Callers) -> None:
    _, run, child, grandchild = have_grandchildren(company)
    assert tell_used(callers, run) == add_up([child, grandchild])
    assert tell_used(callers, child) == add_up([grandchild])
    assert tell_used(callers, grandchild) == add_up([])
    assert grandchild.tokens > 0
    own = callers.bob.get(f"/runs/{run.pk}").body["budget"]["used"]
    assert own["tokens"] == run.tokens, "its own alone"


def test_without_looking_further_down_grandchildren_would_be_free(
    company: Company, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run, child, _ = have_grandchildren(company)
    rewrite_text(monkeypatch, family, "_BELOW", "below.depth < %(deepest)s", "false")
    assert tell_used(callers, run) == add_up([child])
