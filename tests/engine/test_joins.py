"""Tasks that were given to other agents: what is lent stays within the limits, and when the rest is not needed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from agentops.engine.joins import find_surplus
from agentops.engine.shares import find_lacking, least_of
from agentops.engine.state import CallState, CallStatus, Join, Limits, RunState, Spent
from tests.engine.simulation import Simulation, ended_runs
from tests.engine.world import START

ALONE = Join()
LIMITS = Limits(10, 1_000, Decimal(1), 60)
SHARE = Limits(4, 400, Decimal("0.4"), 30)


def state_of(*calls: CallState, **more: Any) -> RunState:
    return RunState(LIMITS, START + timedelta(hours=1), phase="calling", calls=calls)._replace(**more)


def call(number: int, status: CallStatus, join: Join = ALONE, **more: Any) -> CallState:
    child = "c" if status in ("delegated", "succeeded", "failed") else ""
    share = SHARE if status == "delegated" else None
    return CallState(number, "ask", "d", status, join=join, child=child, share=share)._replace(**more)


@given(ended_runs)
def test_what_is_spent_lent_and_used_by_children_never_exceeds_a_limit(run: Simulation) -> None:
    for state in run.states:
        gone = state.committed
        assert gone.steps <= state.limits.steps
        assert gone.tokens <= state.limits.tokens
        assert gone.usd <= state.limits.usd


@pytest.mark.parametrize(
    ("lent", "spent", "lacking"),
    [
        (0, Spent(), []),
        (1, Spent(), []),
        (2, Spent(), []),
        (2, Spent(steps=1), ["steps"]),
        (2, Spent(tokens=201), ["tokens"]),
        (2, Spent(usd=Decimal("0.21")), ["usd"]),
        (0, Spent(worked_ms=31_000), ["seconds"]),
    ],
)
def test_a_share_comes_out_of_what_is_left(lent: int, spent: Spent, lacking: list[str]) -> None:
    state = state_of(*[call(number + 1, "delegated") for number in range(lent)], spent=spent)
    small = least_of(SHARE, Limits(2, 200, Decimal("0.2"), 30))
    assert [each.unit for each in find_lacking(state, small)] == lacking


QUORUM, ANY = Join("g", "quorum", 2), Join("g", "any", 1)


@pytest.mark.parametrize(
    ("join", "statuses", "surplus"),
    [
        (Join(), ["succeeded", "delegated"], ()),
        (ANY, ["delegated", "delegated"], ()),
        (ANY, ["failed", "delegated"], (2,)),
        (ANY, ["refused", "delegated"], ()),  # it was given to nobody
        (QUORUM, ["succeeded", "delegated", "delegated"], ()),
        (QUORUM, ["succeeded", "succeeded", "delegated"], (3,)),
        (QUORUM, ["failed", "failed", "delegated"], (3,)),
        (QUORUM, ["failed", "succeeded", "delegated"], ()),
        (QUORUM, ["succeeded", "succeeded", "allowed"], (3,)),
        (QUORUM, ["succeeded", "succeeded", "waiting"], ()),
    ],
)
def test_the_rest_of_a_group_is_not_needed_once_it_can_change_nothing(
    join: Join, statuses: list[CallStatus], surplus: tuple[int, ...]
) -> None:
    calls = [call(number, status, join) for number, status in enumerate(statuses, 1)]
    assert find_surplus(state_of(*calls)) == surplus


@pytest.mark.parametrize("status", ["waiting", "confirming"])
@pytest.mark.parametrize(("engine", "surplus"), [(9, ()), (10, (3,))])
def test_what_somebody_is_asked_about_is_withdrawn_by_the_rules_that_the_run_pins(
    status: CallStatus, engine: int, surplus: tuple[int, ...]
) -> None:
    calls = [call(1, "succeeded", QUORUM), call(2, "succeeded", QUORUM), call(3, status, QUORUM)]
    assert find_surplus(state_of(*calls, engine=engine)) == surplus


def test_nobody_is_called_off_twice_nor_for_another_group() -> None:
    other = Join("other", "quorum", 1)
    told = call(3, "delegated", QUORUM, called_off=True)
    calls = [call(1, "succeeded", QUORUM), call(2, "succeeded", QUORUM), told, call(4, "delegated", other)]
    assert find_surplus(state_of(*calls)) == ()
