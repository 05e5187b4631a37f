from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.engine.budgets import (
    QUANTUM,
    SMALLEST_COMPLETION,
    Amount,
    DrawFirst,
    Rates,
    Reservation,
    Shortfall,
    count_drawn,
    plan_draw,
    plan_reservation,
)
from agentops.engine.state import Drawn, Limits, RunState, Spent
from tests.engine.world import START

RATES = Rates(Decimal(1), Decimal(2))
ROOMY = RunState(Limits(12, 100_000, Decimal(2), 90), START + timedelta(hours=1))


def plan(
    state: RunState, prompt: int = 1_000, completion: int = 2_000, rates: Rates = RATES
) -> Reservation | DrawFirst | Shortfall:
    return plan_reservation(state, prompt_tokens=prompt, completion_tokens=completion, rates=rates, now=START)


def with_limits(state: RunState = ROOMY, **limits: Any) -> RunState:  # Any: fields of Limits
    return state._replace(limits=state.limits._replace(**limits))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ROOMY, Reservation(3_000, Decimal("0.005"), 2_000)),
        # Clamped to what is left.
        (with_limits(tokens=2_500), Reservation(2_500, Decimal("0.004"), 1_500, "tokens")),
        (with_limits(usd=Decimal("0.002")), Reservation(1_500, Decimal("0.002"), 500, "usd")),
        (ROOMY._replace(spent=Spent(1, 98_000)), Reservation(2_000, Decimal("0.003"), 1_000, "tokens")),
        (ROOMY._replace(spent=Spent(1, 0, Decimal("1.999"))), Shortfall("usd", "0.001", "0.00103200")),
        # Rather nothing than half a sentence.
        (
            with_limits(tokens=1_000 + SMALLEST_COMPLETION),
            Reservation(1_000 + SMALLEST_COMPLETION, Decimal("0.001032"), SMALLEST_COMPLETION, "tokens"),
        ),
        (with_limits(tokens=1_000 + SMALLEST_COMPLETION - 1), Shortfall("tokens", "1015", "1016")),
        (with_limits(tokens=10), Shortfall("tokens", "10", "1016")),
        (with_limits(usd=Decimal(0)), Shortfall("usd", "0", "0.00103200")),
        # Beyond a limit already, by a provider that took more than it was allowed.
        (ROOMY._replace(spent=Spent(1, 200_000)), Shortfall("tokens", "-100000", "1016")),
        # Shared budgets: what is held has to cover it.
        (ROOMY._replace(drawn=Drawn(0)), DrawFirst(Reservation(3_000, Decimal("0.005"), 2_000))),
        (ROOMY._replace(drawn=Drawn(1, 2_999)), DrawFirst(Reservation(3_000, Decimal("0.005"), 2_000))),
        (ROOMY._replace(drawn=Drawn(1, 3_000)), Reservation(3_000, Decimal("0.005"), 2_000)),
        (
            ROOMY._replace(drawn=Drawn(1, 3_000, Decimal("0.0049"))),
            DrawFirst(Reservation(3_000, Decimal("0.005"), 2_000)),
        ),
        (
            ROOMY._replace(drawn=Drawn(1, 3_000, Decimal(1), START)),
            DrawFirst(Reservation(3_000, Decimal("0.005"), 2_000)),
        ),
        # The present step asked for again needs no other one.
        (
            ROOMY._replace(step=1, model_code="busy", model_attempt=1, drawn=Drawn(1), spent=Spent(1)),
            Reservation(3_000, Decimal("0.005"), 2_000),
        ),
    ],
)
def test_the_worst_case(state: RunState, expected: object) -> None:
    assert plan(state) == expected


def test_a_model_without_a_price_for_its_words_is_bounded_by_tokens_alone() -> None:
    assert plan(ROOMY, rates=Rates(Decimal(0), Decimal(0))) == Reservation(3_000, Decimal(0), 2_000)


money = st.decimals("0", "2", places=8)
states = st.builds(
    lambda tokens, usd, spent_tokens, spent_usd, drawn: ROOMY._replace(
        limits=Limits(12, tokens, usd, 90),
        spent=Spent(3, min(spent_tokens, tokens), min(spent_usd, usd)),
        step=3,
        drawn=drawn,
    ),
    st.integers(0, 100_000),
    money,
    st.integers(0, 100_000),
    money,
    st.builds(
        Drawn,
        steps=st.none() | st.integers(0, 12),
        tokens=st.none() | st.integers(0, 200_000),
        usd=st.none() | money,
        until=st.none(),
    ),
)
prompts = st.integers(0, 50_000)
completions = st.integers(1, 50_000)
rates = st.builds(Rates, st.decimals("0", "100", places=6), st.decimals("0", "500", places=6))


@given(states, prompts, completions, rates)
def test_a_reservation_never_exceeds_what_is_left(
    state: RunState, prompt: int, completion: int, rates: Rates
) -> None:
    wanted = plan(state, prompt, completion, rates)
    if isinstance(wanted, Shortfall):
        return
    reservation = wanted.wanted if isinstance(wanted, DrawFirst) else wanted
    assert state.spent.tokens + reservation.tokens <= state.limits.tokens
    assert state.spent.usd + reservation.usd <= state.limits.usd
    assert 0 < reservation.max_completion_tokens <= completion
    if isinstance(wanted, Reservation):
        drawn = state.drawn
        assert drawn.steps is None or state.next_step <= drawn.steps
        assert drawn.tokens is None or state.spent.tokens + reservation.tokens <= drawn.tokens
        assert drawn.usd is None or state.spent.usd + reservation.usd <= drawn.usd


@given(states, prompts, completions, rates, completions, prompts)
def test_a_reservation_covers_whatever_the_provider_may_charge(
    state: RunState, prompt: int, completion: int, rates: Rates, said: int, read: int
) -> None:
    wanted = plan(state, prompt, completion, rates)
    if isinstance(wanted, Reservation):
        read, said = min(read, prompt), min(said, wanted.max_completion_tokens)
        assert read + said <= wanted.tokens
        assert (read * rates.input + said * rates.output) / 1_000_000 <= wanted.usd


@given(states, prompts, completions, rates)
def test_a_call_is_refused_only_if_its_least_is_not_left(
    state: RunState, prompt: int, completion: int, rates: Rates
) -> None:
    least = min(SMALLEST_COMPLETION, completion)
    cost = (prompt * rates.input + least * rates.output) / 1_000_000
    fits = (
        state.spent.tokens + prompt + least <= state.limits.tokens
        and state.spent.usd + cost <= state.limits.usd
    )
    assert isinstance(plan(state, prompt, completion, rates), Shortfall) is not fits


@given(states, prompts, completions, rates, st.integers(1, 5))
def test_what_is_drawn_covers_the_call_within_the_runs_own_limits(
    state: RunState, prompt: int, completion: int, rates: Rates, calls: int
) -> None:
    wanted = plan(state, prompt, completion, rates)
    if not isinstance(wanted, DrawFirst):
        return
    hold = plan_draw(state, wanted.wanted, calls)
    drawn = count_drawn(state, hold)
    held = state.drawn
    after = state._replace(
        drawn=Drawn(
            None if held.steps is None else held.steps + drawn.steps,
            None if held.tokens is None else held.tokens + drawn.tokens,
            None if held.usd is None else held.usd + drawn.usd,
        ),
    )
    assert plan(after, prompt, completion, rates) == wanted.wanted
    assert state.spent.steps + hold.steps <= state.limits.steps
    assert state.spent.tokens + hold.tokens <= state.limits.tokens
    assert state.spent.usd + hold.usd <= state.limits.usd


def test_amounts_are_reckoned_unit_by_unit() -> None:
    one, other = Amount(1, 20, Decimal(3)), Amount(4, 5, Decimal(6))
    assert one + other == Amount(5, 25, Decimal(9))
    assert one - other == Amount(-3, 15, Decimal(-3))
    assert Amount.most([one, other]) == Amount(4, 20, Decimal(6))
    assert Amount.least([one, other]) == Amount(1, 5, Decimal(3))


def test_money_has_no_crumbs() -> None:
    finest = plan(ROOMY, 1, 1, Rates(Decimal("0.001"), Decimal("0.001")))
    assert isinstance(finest, Reservation)
    assert finest.usd == QUANTUM
