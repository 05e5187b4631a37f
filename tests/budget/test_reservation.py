"""Arithmetic of reserving and drawing, over every state that a run can be in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentops.engine import events as e
from agentops.engine.budgets import (
    DrawFirst,
    Reservation,
    Shortfall,
    count_drawn,
    plan_draw,
    plan_reservation,
)
from agentops.engine.events import Event
from agentops.engine.fold import fold
from agentops.engine.snapshots import dump_state, load_state
from agentops.engine.state import Drawn, Limits, RunState, Spent
from runs.planner.answers import Usage
from runs.planner.prices import Price, cost
from runs.versions import dearest_rates

pytestmark = pytest.mark.budget

NOW = datetime(2026, 11, 2, 10, 59, 30, tzinfo=UTC)
HOUR_ENDS = datetime(2026, 11, 2, 11, tzinfo=UTC)

money = st.decimals(min_value=0, max_value=1000, places=8)
rates_of_price = st.decimals(min_value=0, max_value=10_000, places=6)
counts = st.integers(min_value=0, max_value=1_000_000)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    return Price("m", "1", *(draw(rates_of_price) for _ in range(4)))


@st.composite
def states(draw: st.DrawFn) -> RunState:
    """A run that is about to ask: with something spent, and something drawn of what shared budgets limit."""
    limits = Limits(draw(st.integers(1, 50)), draw(counts), draw(st.decimals(0, 1000, places=4)), 90)
    steps = draw(st.integers(0, limits.steps - 1))
    spent = Spent(steps, draw(st.integers(0, limits.tokens)), draw(money))
    assume(spent.usd <= limits.usd)
    drawn = Drawn(
        draw(st.none() | st.integers(spent.steps, limits.steps)),
        draw(st.none() | st.integers(spent.tokens, limits.tokens)),
        draw(st.none() | st.decimals(spent.usd, limits.usd, places=8)),
        draw(st.sampled_from([HOUR_ENDS, NOW])),
    )
    return RunState(limits, NOW + timedelta(days=1), spent=spent, step=steps, drawn=drawn, seq=9)


def plan(state: RunState, price: Price, prompt: int, completion: int) -> Reservation | DrawFirst | Shortfall:
    return plan_reservation(
        state, prompt_tokens=prompt, completion_tokens=completion, rates=dearest_rates(price), now=NOW
    )


@given(states(), prices(), counts, st.integers(1, 100_000))
def test_a_reservation_fits_into_everything(
    state: RunState, price: Price, prompt: int, completion: int
) -> None:
    found = plan(state, price, prompt, completion)
    if isinstance(found, Shortfall):
        return
    reservation = found.wanted if isinstance(found, DrawFirst) else found
    assert 1 <= reservation.max_completion_tokens <= completion
    assert reservation.tokens == prompt + reservation.max_completion_tokens
    assert state.spent.tokens + reservation.tokens <= state.limits.tokens
    assert state.spent.usd + reservation.usd <= state.limits.usd
    if isinstance(found, Reservation):
        assert state.drawn.steps is None or state.spent.steps + 1 <= state.drawn.steps
        assert state.drawn.tokens is None or state.spent.tokens + found.tokens <= state.drawn.tokens
        assert state.drawn.usd is None or state.spent.usd + found.usd <= state.drawn.usd
        assert state.drawn.until == HOUR_ENDS


@given(states(), prices(), counts, st.integers(1, 100_000), st.data())
def test_no_usage_within_the_limits_costs_more_than_was_reserved(
    state: RunState, price: Price, prompt: int, completion: int, data: st.DataObject
) -> None:
    found = plan(state, price, prompt, completion)
    if isinstance(found, Shortfall):
        return
    reservation = found.wanted if isinstance(found, DrawFirst) else found
    taken = data.draw(st.integers(0, prompt))
    cached = data.draw(st.integers(0, taken))
    written = data.draw(st.integers(0, taken - cached))
    output = data.draw(st.integers(0, reservation.max_completion_tokens))
    assert cost(price, Usage(taken, output, cached, written, 0)) <= reservation.usd


@given(states(), prices(), counts, st.integers(1, 100_000), st.integers(1, 8))
def test_after_a_draw_the_call_is_covered(
    state: RunState, price: Price, prompt: int, completion: int, calls: int
) -> None:
    found = plan(state, price, prompt, completion)
    if not isinstance(found, DrawFirst):
        return
    hold = plan_draw(state, found.wanted, calls)
    drawn = count_drawn(state, hold)
    facts = {
        "steps": drawn.steps,
        "tokens": drawn.tokens,
        "usd": str(drawn.usd),
        "until": HOUR_ENDS.isoformat(),
    }
    after = fold(state, Event(state.seq + 1, e.BUDGET_DRAWN, facts, NOW))
    assert plan(after, price, prompt, completion) == found.wanted
    for unit in ("steps", "tokens", "usd"):
        held, limit = getattr(after.drawn, unit), getattr(state.limits, unit)
        assert (held is None) == (getattr(state.drawn, unit) is None)
        assert held is None or held == getattr(state.spent, unit) + getattr(hold, unit) <= limit
    assert load_state(dump_state(after)) == after


def test_what_is_held_is_worth_nothing_once_its_windows_are_over() -> None:
    limits = Limits(12, 100_000, Decimal(2), 90)
    state = RunState(limits, NOW + timedelta(days=1), drawn=Drawn(4, 50_000, Decimal(1), HOUR_ENDS))
    price = Price("m", "1", *[Decimal(1)] * 4)
    arguments: dict[str, Any] = {
        "prompt_tokens": 1_000,
        "completion_tokens": 100,
        "rates": dearest_rates(price),
    }
    moments = (HOUR_ENDS - timedelta(microseconds=1), HOUR_ENDS)
    found = [plan_reservation(state, now=now, **arguments) for now in moments]
    assert [type(each) for each in found] == [Reservation, DrawFirst]


def test_a_step_that_is_asked_again_needs_no_further_step() -> None:
    limits = Limits(12, 100_000, Decimal(2), 90)
    state = RunState(limits, NOW + timedelta(days=1), step=3, drawn=Drawn(steps=3), spent=Spent(steps=3))
    wanted = Reservation(1_000, Decimal("0.1"), 100)
    again = state._replace(model_attempt=1, model_code="timeout")
    assert [plan_draw(each, wanted, 1).steps for each in (state, again)] == [1, 0]
