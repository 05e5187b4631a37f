"""Trees of runs that are driven by chance: whatever planners ask for, no run has more than those above it."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from django.db import connection
from pytest_django import Settings

from agentops.engine.state import RunState
from runs.delegation import starting
from runs.folding import read_state
from runs.models import Run
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.delegation.conftest import House
from tests.runs.planner.provider import Conversation, Turn

pytestmark = [pytest.mark.delegation, pytest.mark.slow]

AGENTS = ("a", "b", "c", "d")
MOST_DRIVES = 400


def open_house(company: Company, dice: random.Random) -> House:
    """Return a house in which everybody may give tasks to everybody, for shares that chance has drawn."""
    house = House(company)
    refund = company.add_tool("refund", grant_caps=[{"per": "run", "count": 2}], grant="ALLOW_WITH_CAPS")
    tools = [refund]
    for slug in AGENTS:
        share = {
            "steps": dice.randint(1, 4),
            "tokens": dice.choice((3_000, 10_000, 40_000)),
            "usd": dice.choice(("0.02", "0.2", "1.0")),
            "seconds": dice.choice((10, 30)),
        }
        policy = dice.choice(({"policy": "all"}, {"policy": "any"}, {"policy": "quorum", "needed": 2}))
        tools.append(house.add_delegation(slug, share=share, join=policy))
    for slug in AGENTS:
        house.hire(slug, *tools)
    company.publish(max_steps=8, max_tokens=60_000, max_usd=Decimal("1.5"))
    return house


def drive_all(company: Company, root: Run, dice: random.Random) -> list[Run]:
    """Drive the tree, whoever is due, until nobody goes on; return its runs."""
    for _ in range(MOST_DRIVES):
        going = Run.objects.filter(trace_id=root.trace_id, ended_at=None, wake_at__isnull=False).order_by(
            "id"
        )
        due = [run for run in going if run.wake_at and run.wake_at < run.expires_at]
        if not due:
            break
        company.drive(dice.choice(due))
    return list(Run.objects.filter(trace_id=root.trace_id).order_by("id"))


def state_of(run: Run) -> RunState:
    with connection.cursor() as cursor:
        return read_state(cursor, run.pk)


def check(runs: list[Run], settings: Settings) -> None:
    """Check that each run stayed within its own limits and within those of all above it."""
    by_id = {run.pk: run for run in runs}
    assert len(runs) <= settings.DELEGATION_TREE
    for run in runs:
        assert run.ended_at is not None, (run.state, run.required_actions)
        below = [each for each in runs if str(run.pk) in {link["run"] for link in each.line}] + [run]
        assert sum(each.tokens for each in below) <= run.max_tokens
        assert sum(each.usd for each in below) <= run.max_usd
        assert sum(each.steps for each in below) <= run.max_steps
        state = state_of(run)
        assert (state.used.tokens, state.used.usd) == (
            sum(each.tokens for each in below),
            sum((each.usd for each in below), Decimal(0)),
        )
        if run.parent_id is None:
            continue
        parent = by_id[run.parent_id]
        assert run.expires_at <= parent.expires_at
        assert run.max_tokens <= parent.max_tokens
        assert run.max_steps <= parent.max_steps
        assert run.max_usd <= parent.max_usd
        assert run.max_seconds <= parent.max_seconds
        assert len(run.line) == len(parent.line) + 1 <= 2
        line = [link["identity"] for link in run.line]
        assert str(run.identity_id) not in line


def wild(dice: random.Random, final: float) -> Turn:
    """Play a planner that asks for whatever comes to its mind; ``final`` is how likely it comes to an end."""

    def answer(conversation: Conversation) -> None:
        if dice.random() < final:
            says(dice.choice(("Done.", "I do not know.")))(conversation)
            return
        tasks = [
            (f"ask_{dice.choice(AGENTS)}", {"topic": str(dice.randrange(50))})
            for _ in range(dice.randint(0, 3))
        ]
        calls = [*tasks, ("refund", {**ORDER, "amount": "1.00"})] if dice.random() < 0.3 else tasks
        (proposes(*calls) if calls else says("Well."))(conversation)

    return answer


@pytest.mark.parametrize("seed", range(8))
def test_no_run_of_a_tree_has_more_than_those_above_it(
    company: Company, settings: Settings, seed: int
) -> None:
    dice = random.Random(seed)
    open_house(company, dice)
    company.play(wild(dice, 0.3))
    check(drive_all(company, company.start(), dice), settings)


def test_planners_that_never_stop_are_stopped(company: Company, settings: Settings) -> None:
    dice = random.Random(99)
    settings.DELEGATION_TREE = 10
    open_house(company, dice)
    company.play(wild(dice, 0.0))
    runs = drive_all(company, company.start(), dice)
    check(runs, settings)
    assert runs[0].state in ("halted", "completed")


def test_without_looking_at_what_is_left_the_suite_would_fail(
    company: Company, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: nobody asks what a run has left."""
    company.is_mutant = True
    rewrite(monkeypatch, starting, "_find_share", "find_lacking(state, share)", "()")
    house = House(company)
    house.hire("a", max_steps=1_000)
    house.add_delegation("a", share={"steps": 900, "tokens": 90_000, "usd": "1.9", "seconds": 30})
    company.play(proposes(("ask_a", {"topic": "x"}), ("ask_a", {"topic": "y"})), says("Done."))
    runs = drive_all(company, company.start(), random.Random(0))
    with pytest.raises(AssertionError):
        check(runs, settings)
