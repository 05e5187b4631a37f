"""Whatever users, people and drivers do: what has to be said comes before what hangs on it."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given

from agentops.engine import ENGINE_VERSION, state
from agentops.engine import commands as c
from agentops.engine import events as e
from agentops.engine.decide import OWN_LIMITS
from agentops.engine.fold import UnfoldableEvent, fold_all
from tests.engine.histories import TERMS, Written, decided, history, requested
from tests.engine.people import MOST_MORE
from tests.engine.simulation import Simulation, ended_runs, simulate
from tests.engine.situations import BEGUN, HALT, WHERE, command_after, refused, started
from tests.engine.world import World

ANSWERS = (e.CONFIRMATION_GIVEN, e.CONFIRMATION_REFUSED, e.BUDGET_EXTENDED, e.EXTENSION_REFUSED)


def test_simulated_runs_do_come_by_all_of_this() -> None:
    """Properties of what never happens would prove nothing."""
    world = World(steps=2, extensions=3, trouble=0.1, final=0.1, tool_calls=2)
    seen = Counter(event.kind for seed in range(300) for event in simulate(world, Random(seed)).events)
    assert min(seen[kind] for kind in (e.CONFIRMATION_REQUESTED, e.LIMIT_REACHED, *ANSWERS)) >= 10


@given(ended_runs)
def test_what_the_end_user_was_asked_about_goes_out_only_once_they_have_confirmed_it(run: Simulation) -> None:
    confirmed: set[str] = set()
    for before, event in zip(run.states, run.events[1:], strict=False):
        if event.kind == e.CONFIRMATION_GIVEN:
            confirmed.add(event.facts["confirmation"])
        if event.kind == e.ATTEMPT_STARTED:
            call = before.call(event.facts["call"])
            assert not call.confirmation or call.confirmation in confirmed


@given(ended_runs)
def test_what_the_end_user_refused_is_over(run: Simulation) -> None:
    for event, after in zip(run.events, run.states, strict=True):
        if event.kind == e.CONFIRMATION_REFUSED:
            assert after.call(event.facts["call"]).settled


@given(ended_runs)
def test_who_is_asked_anew_has_approved_nothing_yet(run: Simulation) -> None:
    for event, after in zip(run.events, run.states, strict=True):
        if event.kind == e.CONFIRMATION_REQUESTED:
            assert not after.call(event.facts["call"]).approval


@given(ended_runs)
def test_a_run_asks_to_go_on_only_at_its_own_limits_and_as_often_as_it_may(run: Simulation) -> None:
    asked = [event.facts["limit"] for event in run.events if event.kind == e.LIMIT_REACHED]
    assert set(asked) <= OWN_LIMITS
    assert len(asked) <= run.world.extensions


@given(ended_runs)
def test_while_it_asks_it_begins_nothing(run: Simulation) -> None:
    for (before, _), (_, event) in pairwise(zip(run.states, run.events, strict=True)):
        asking, following = before.extensible.asked, event.kind
        assert not (asking and following in (e.MODEL_REQUESTED, e.ATTEMPT_STARTED, e.LIMIT_REACHED))


@given(ended_runs)
def test_its_limits_grow_by_what_people_granted_and_by_nothing_else(run: Simulation) -> None:
    granted = [event.facts for event in run.events if event.kind == e.BUDGET_EXTENDED]
    steps, tokens = (sum(facts[unit] for facts in granted) for unit in ("steps", "tokens"))
    assert run.state.limits.steps == run.world.steps + steps
    assert run.state.limits.tokens == run.world.tokens + tokens
    assert steps <= MOST_MORE["steps"] * run.world.extensions


@given(ended_runs)
def test_once_refused_it_asks_no_more(run: Simulation) -> None:
    kinds = [event.kind for event in run.events]
    if e.EXTENSION_REFUSED in kinds:
        assert e.LIMIT_REACHED not in kinds[kinds.index(e.EXTENSION_REFUSED) :]


# --- one event at a time ----------------------------------------------------------------------------------

LATER = "2026-11-22T12:30:00+00:00"
CONFIRMING: Written = (e.CONFIRMATION_REQUESTED, {**WHERE, **TERMS, "confirmation": "c", "expires_at": LATER})
GIVEN: Written = (e.CONFIRMATION_GIVEN, {**WHERE, "confirmation": "c", "proof": "token"})
REFUSED: Written = (e.CONFIRMATION_REFUSED, {**WHERE, "confirmation": "c", "code": "denied_by_user"})
REACHED: Written = (e.LIMIT_REACHED, {"limit": "steps", "extension": "x", "expires_at": LATER})
NO_MORE: Written = (e.EXTENSION_REFUSED, {"extension": "x", "code": "refused"})


@pytest.mark.parametrize(
    "written",
    [
        [requested(1), decided(1), CONFIRMING, started()],
        [requested(1), decided(1), CONFIRMING, REFUSED, started()],
        [requested(1), decided(1), GIVEN],
        [requested(1), decided(1), CONFIRMING, GIVEN, GIVEN],
        [NO_MORE],
        [REACHED, REACHED],
        [REACHED, NO_MORE, REACHED],
        [REACHED, (e.EXTENSION_REFUSED, {"extension": "another", "code": "refused"})],
    ],
)
def test_what_cannot_follow_is_refused(written: list[Written]) -> None:
    with pytest.raises(UnfoldableEvent):
        fold_all(history(*written, extensions=2, engine=ENGINE_VERSION))


def test_a_refused_run_halts_at_the_limit_that_it_asked_about() -> None:
    begun = [*BEGUN, refused(), refused(2)]
    limits = {"steps": 1, "tokens": 9_000, "usd": "1", "seconds": 90}
    start: dict[str, Any] = {"limits": limits, "extensions": 1, "engine": ENGINE_VERSION}
    assert command_after(*begun, **start) == c.AskMore("steps")
    assert command_after(*begun, REACHED, NO_MORE, **start) == c.Finish(HALT, "budget_reached", "steps")


def test_without_the_rule_a_call_that_waits_for_its_user_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: a call that its user was asked about counts as one that may go out."""
    assert isinstance(command_after(requested(1), decided(1), CONFIRMING), c.Wait)
    monkeypatch.setattr(state, "RUNNABLE", state.RUNNABLE | {"confirming"})
    assert command_after(requested(1), decided(1), CONFIRMING) == c.CallTools((1,))
