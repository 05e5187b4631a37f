from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.engine import commands as c
from agentops.engine import events as e
from agentops.engine.commands import Command
from agentops.engine.decide import MODEL_ATTEMPTS, next_command
from agentops.engine.fold import fold_all
from agentops.engine.state import LostAuthority
from tests.engine.histories import RUN, Written, asked, decided, history, requested
from tests.engine.simulation import Simulation, ended_runs
from tests.engine.situations import (
    BEGUN,
    HALT,
    IN_DOUBT,
    PARKED,
    READ,
    WHERE,
    allowed,
    command_after,
    deferred,
    failed,
    gated,
    model_failed,
    refused,
    started,
    succeeded,
    unknown,
)
from tests.engine.world import LIFE, START

COMMANDS = get_args(c.Command)
times = st.integers(0, 2 * LIFE // timedelta(milliseconds=1)).map(
    lambda ms: START + timedelta(milliseconds=ms)
)


@given(ended_runs, times, st.integers(0, 100_000))
def test_every_reachable_state_has_exactly_one_next_command(
    run: Simulation, now: datetime, idle: int
) -> None:
    for state in run.states:
        command = next_command(state, now, idle)
        assert type(command) in COMMANDS
        assert command == next_command(state, now, idle)


@given(ended_runs)
def test_a_run_that_is_driven_ends(run: Simulation) -> None:
    """Whatever planner, tools and people do, and however often drivers die: within a bounded number of commands."""
    assert run.state.has_ended
    steps, tokens = run.state.limits.steps, run.state.limits.tokens
    most_calls = steps * run.world.tool_calls
    settling = 12 * most_calls + 4 * steps
    deferrals = LIFE // timedelta(seconds=30)
    lost = tokens // 16 + 1
    assert run.commands <= 50 * (1 + settling) + deferrals * most_calls + lost
    assert next_command(run.state, run.now) == c.Rest()


@given(ended_runs)
def test_a_wait_ends_at_some_time_in_the_future(run: Simulation) -> None:
    for state, event in zip(run.states, run.events, strict=True):
        command = next_command(state, event.at)
        if isinstance(command, c.Wait):
            assert command.until is not None
            assert event.at < command.until <= state.expires_at


@given(ended_runs)
def test_nothing_is_started_once_a_run_is_killed_or_cancelled(run: Simulation) -> None:
    for state, event in zip(run.states, run.events, strict=True):
        if (state.killed or state.cancelling) and not state.has_ended:
            command = next_command(state, event.at)
            assert isinstance(command, c.Finish | c.SettleLostAnswer | c.SettleLostAttempt | c.Park)


@given(ended_runs)
def test_calls_are_assessed_and_made_in_the_proposed_order(run: Simulation) -> None:
    for state, event in zip(run.states, run.events, strict=True):
        command = next_command(state, event.at)
        if isinstance(command, c.CallTools):
            effects = {state.call(number).effect for number in command.calls}
            assert effects == {"read"} or len(command.calls) == 1
            assert list(command.calls) == sorted(command.calls)


# --- single decisions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # The planner.
        ([], c.AskPlanner(1, 1)),
        ([requested(1)], c.SettleLostAnswer(1, 1)),
        ([requested(1), decided(1, final=True)], c.Finish("run.completed", "")),
        ([requested(1), model_failed()], c.AskPlanner(1, 2)),
        ([requested(1), model_failed(retryable=False)], c.Finish("run.failed", "planner_error")),
        ([requested(1), model_failed("lost")], c.AskPlanner(1, 2)),
        # Assessing.
        (BEGUN, c.AssessCalls((1, 2))),
        ([*BEGUN, allowed()], c.AssessCalls((2,))),
        # Calling: writes one by one in the proposed order, reads together.
        ([*BEGUN, allowed(), allowed(2)], c.CallTools((1,))),
        ([*BEGUN, allowed(), allowed(2), started(), succeeded()], c.CallTools((2,))),
        ([*BEGUN, allowed(1, **READ), allowed(2, **READ)], c.CallTools((1, 2))),
        ([*BEGUN, allowed(), allowed(2, **READ)], c.CallTools((2,))),
        ([*BEGUN, refused(), allowed(2)], c.CallTools((2,))),
        ([*BEGUN, gated(), allowed(2, **READ)], c.CallTools((2,))),
        ([*BEGUN, gated(1, **READ), allowed(2)], c.CallTools((2,))),
        ([*BEGUN, asked(1), allowed(2)], c.CallTools((2,))),
        # Losses.
        ([*BEGUN, allowed(), allowed(2), started()], c.SettleLostAttempt(1)),
        ([*BEGUN, allowed(), allowed(2), started(), unknown("park")], c.Park(1)),
        ([*BEGUN, allowed(), allowed(2), started(), unknown("read_back")], c.ReadBack(1)),
        ([*BEGUN, *IN_DOUBT, allowed(2)], c.CallTools((1,))),
        ([*BEGUN, allowed(), allowed(2), started(), failed(0)], c.CallTools((1,))),
        # The next turn comes when all have settled.
        ([*BEGUN, refused(), refused(2)], c.AskPlanner(2, 1)),
        ([*BEGUN, allowed(), refused(2), started(), succeeded()], c.AskPlanner(2, 1)),
        # Endings.
        ([*BEGUN, allowed(), refused(2), refused(1, "circuit_open")], c.Finish(HALT, "circuit_open")),
        (
            [*BEGUN, allowed(on_breaker_open="skip"), refused(2), refused(1, "circuit_open")],
            c.AskPlanner(2, 1),
        ),
        ([*BEGUN, allowed(on_unknown="halt"), refused(2), *PARKED[1:]], c.Finish(HALT, "outcome_unknown")),
        ([(e.BUDGET_EXHAUSTED, {"limit": "usd"})], c.Finish(HALT, "budget_reached", "usd")),
        # People.
        ([(e.RUN_KILLED, {})], c.Finish(HALT, "killed")),
        ([(e.CANCEL_REQUESTED, {})], c.Finish("run.cancelled", "cancelled_by_user")),
        ([(e.RUN_KILLED, {}), (e.CANCEL_REQUESTED, {})], c.Finish(HALT, "killed")),
        ([(e.RUN_PAUSED, {}), (e.RUN_UNPAUSED, {})], c.AskPlanner(1, 1)),
        ([(e.RUN_PAUSED, {}), (e.CANCEL_REQUESTED, {})], c.Finish("run.cancelled", "cancelled_by_user")),
        ([requested(1), (e.RUN_KILLED, {})], c.SettleLostAnswer(1, 1)),
        ([*BEGUN, allowed(), allowed(2), started(), (e.RUN_KILLED, {})], c.SettleLostAttempt(1)),
        ([requested(1), (e.MESSAGE_RECEIVED, {}), decided(1, final=True)], c.AskPlanner(2, 1)),
        ([*BEGUN, asked(1), refused(2), (e.INPUT_RECEIVED, WHERE)], c.AskPlanner(2, 1)),
    ],
)
def test_what_comes_next(written: list[Written], expected: Command) -> None:
    assert command_after(*written) == expected


OVERRUN = {"limits": {**RUN["limits"], "tokens": 99}}


@pytest.mark.parametrize(
    ("engine", "expected"),
    [(1, c.Finish(HALT, "budget_reached", "tokens")), (2, c.Finish("run.completed", ""))],
)
def test_a_final_answer_stands_beyond_a_limit_by_the_rules_that_the_run_pins(
    engine: int, expected: Command
) -> None:
    answered = [requested(1), decided(1, final=True)]
    assert command_after(*answered, **OVERRUN, engine=engine) == expected


def test_a_run_without_steps_left_names_them() -> None:
    limits = {"limits": {**RUN["limits"], "steps": 1}}
    assert command_after(*BEGUN, refused(), refused(2), **limits) == c.Finish(HALT, "budget_reached", "steps")


def test_an_overrun_of_money_names_it() -> None:
    limits = {"limits": {**RUN["limits"], "usd": "0.0001"}}
    assert command_after(requested(1), decided(1), **limits) == c.Finish(HALT, "budget_reached", "usd")


def test_nothing_more_is_done_beyond_a_limit() -> None:
    halt = c.Finish(HALT, "budget_reached", "tokens")
    said: list[Written] = [(e.MESSAGE_RECEIVED, {})]
    assert command_after(requested(1), decided(1), **OVERRUN, engine=2) == halt
    assert command_after(requested(1), decided(1, final=True), *said, **OVERRUN, engine=2) == halt


@pytest.mark.parametrize("code", get_args(LostAuthority))
def test_an_agent_that_may_not_act_any_more_halts(code: LostAuthority) -> None:
    assert command_after(*BEGUN, refused(1, code), refused(2)) == c.Finish(HALT, code)


@pytest.mark.parametrize(
    ("written", "state", "for_people"),
    [
        ([(e.RUN_PAUSED, {})], "paused", True),
        ([*BEGUN, gated(), refused(2)], "requires_action", True),
        ([*BEGUN, gated(), allowed(2)], "requires_action", True),
        ([*BEGUN, asked(1), asked(1, 2)], "requires_action", True),
        ([*BEGUN, *PARKED[:1], refused(2), *PARKED[1:]], "requires_action", True),
        ([*BEGUN, gated(), allowed(2, **READ), deferred(30, 2)], "requires_action", False),
        ([*BEGUN, allowed(), refused(2), deferred(30)], "in_progress", False),
        ([*BEGUN, allowed(), refused(2), started(), failed(30_000)], "in_progress", False),
        (
            [*BEGUN, allowed(), refused(2), started(), unknown("read_back", delay_ms=30_000)],
            "in_progress",
            False,
        ),
        ([requested(1), model_failed(delay_ms=30_000)], "in_progress", False),
    ],
)
def test_what_is_waited_for(written: list[Written], state: str, for_people: bool) -> None:
    command = command_after(*written)
    assert isinstance(command, c.Wait)
    assert (command.state, command.for_people) == (state, for_people)
    assert command.until == START + LIFE if for_people else command.until is not None


def test_a_model_is_asked_three_times() -> None:
    written: list[Written] = []
    for attempt in range(1, MODEL_ATTEMPTS + 1):
        assert command_after(*written) == c.AskPlanner(1, attempt)
        written += [requested(1, attempt), model_failed()]
    assert command_after(*written) == c.Finish("run.failed", "planner_error")


def test_an_answer_that_was_lost_is_no_fault_of_the_models() -> None:
    written = [each for n in range(1, 6) for each in (requested(1, n), model_failed("lost"))]
    assert command_after(*written) == c.AskPlanner(1, 6)


# --- time -------------------------------------------------------------------------------------------------


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_run_that_expires_ends_whatever_it_waits_for() -> None:
    paused: list[tuple[str, dict[str, Any]]] = [(e.RUN_PAUSED, {})]
    for written in ([], BEGUN, [*BEGUN, gated(), refused(2)], paused):
        state = fold_all(history(*written))
        assert next_command(state, START + LIFE) == c.Finish("run.expired", "expired")


def test_a_run_is_late_even_if_nothing_has_happened_since() -> None:
    state = fold_all(history(*BEGUN, allowed(), refused(2), started(), failed(80_000)))
    assert next_command(state, at(89)) == c.CallTools((1,))
    assert next_command(state, at(92)) == c.Finish(HALT, "budget_reached", "seconds")
    assert next_command(state, at(92), 60_000) == c.CallTools((1,))


def test_a_wait_ends_at_the_deadline() -> None:
    events = history(*BEGUN, allowed(), refused(2), deferred(600))
    command = next_command(fold_all(events), events[-1].at)
    assert isinstance(command, c.Wait)
    assert command.until == START + timedelta(seconds=91), "90 s after the driver's first event"
    assert next_command(fold_all(events), command.until) == c.Finish(HALT, "budget_reached", "seconds")


def test_a_model_that_asks_for_more_patience_than_there_is_gets_none() -> None:
    assert command_after(requested(1), model_failed(delay_ms=300_000)) == c.Finish(
        HALT, "budget_reached", "seconds"
    )


def test_what_may_have_happened_is_found_out_beyond_the_deadline() -> None:
    state = fold_all(history(*BEGUN, *IN_DOUBT[:1], refused(2), *IN_DOUBT[1:]))
    assert next_command(state, at(500)) == c.CallTools((1,))
    state = fold_all(history(*BEGUN, allowed(), refused(2), started(), unknown("read_back")))
    assert next_command(state, at(500)) == c.ReadBack(1)


def test_people_may_take_their_time() -> None:
    state = fold_all(history(*BEGUN, gated(), refused(2)))
    assert isinstance(next_command(state, at(3_000)), c.Wait)
    later = [*history(*BEGUN, gated(), refused(2))]
    answered = e.Event(len(later) + 1, e.APPROVAL_GRANTED, WHERE, START + timedelta(seconds=3_000))
    assert next_command(fold_all([*later, answered]), answered.at) == c.CallTools((1,))
