"""Calls that are held before they go out, as the engine sees them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentops.engine import events as e
from agentops.engine.commands import CallTools, Command, Finish, Wait
from agentops.engine.decide import next_command
from agentops.engine.fold import UnfoldableEvent, fold_all
from agentops.engine.state import RunState
from runs.projection import run_state
from tests.engine.histories import Written, asked, decided, history, requested
from tests.engine.situations import BEGUN, WHERE, allowed, gated, refused, started, succeeded
from tests.engine.world import START

UNTIL = START + timedelta(seconds=600)
LATER = START + timedelta(seconds=900)
HELD = allowed(held_until=UNTIL.isoformat())
MESSAGE: Written = (e.MESSAGE_RECEIVED, {"size": 4})
VETOED: Written = (e.CALL_VETOED, WHERE)
ONE = [requested(1), decided(1)]


def hold(call: int = 1, until: str = LATER.isoformat()) -> Written:
    return e.CALL_HELD, {"step": 1, "call": call, "held_until": until}


def state_after(*written: Written) -> RunState:
    return fold_all(history(*written))


def command_at(seconds: int, *written: Written) -> Command:
    return next_command(state_after(*written), START + timedelta(seconds=seconds))


def test_it_waits_for_its_time_and_then_goes_out() -> None:
    assert command_at(10, *ONE, HELD) == Wait(UNTIL, "in_progress", for_people=True)
    assert command_at(599, *ONE, HELD) == Wait(UNTIL, "in_progress", for_people=True)
    assert command_at(600, *ONE, HELD) == CallTools((1,))


def test_its_run_shows_as_in_progress_because_nothing_is_required() -> None:
    assert run_state(state_after(*ONE, HELD)) == "in_progress"
    assert run_state(state_after(*BEGUN, HELD, gated(2))) == "requires_action"


def test_the_time_it_is_held_is_no_working_time() -> None:
    state = state_after(*ONE, HELD)
    assert (state.working_since, state.waits_for_people) == (None, True)


def test_a_later_time_counts_from_when_it_was_first_held() -> None:
    call = state_after(*ONE, HELD, hold()).call(1)
    assert (call.retry_at, call.held_since) == (LATER, START + timedelta(seconds=3))


def test_what_is_approved_anew_is_held_anew() -> None:
    call = state_after(*ONE, HELD, gated(), (e.APPROVAL_GRANTED, WHERE), hold()).call(1)
    assert call.held_since == START + timedelta(seconds=6)


def test_what_the_user_wrote_makes_it_due() -> None:
    assert command_at(10, *ONE, HELD, MESSAGE) == CallTools((1,))


@pytest.mark.parametrize("kind", [e.INPUT_RECEIVED, e.HANDOVER_ANSWERED])
def test_what_somebody_answered_makes_it_due(kind: str) -> None:
    answered = (kind, {"step": 1, "call": 2, "size": 4})
    assert command_at(10, requested(1), decided(1, 2), HELD, asked(1, 2), answered) == CallTools((1,))


def test_a_vetoed_call_is_settled() -> None:
    state = state_after(*ONE, HELD, VETOED)
    assert (state.call(1).status, state.call(1).code, state.open_calls) == ("refused", "vetoed", ())


@pytest.mark.parametrize("written", [[], [allowed()], [gated()], [refused()], [HELD, started()]], ids=len)
def test_only_what_is_held_is_vetoed(written: list[Written]) -> None:
    with pytest.raises(UnfoldableEvent):
        state_after(*ONE, *written, VETOED)


def test_a_read_goes_on_while_a_write_is_held() -> None:
    assert command_at(10, *BEGUN, HELD, allowed(2, effect="read")) == CallTools((2,))


def test_a_write_behind_one_that_is_held_waits_for_it() -> None:
    assert command_at(10, *BEGUN, HELD, allowed(2)) == Wait(UNTIL, "in_progress", for_people=True)
    assert command_at(10, *BEGUN, HELD, allowed(2), VETOED) == CallTools((2,))


def test_a_run_whose_time_is_used_up_makes_no_held_call() -> None:
    """A read that took its time beside it has used up the run's."""
    written = [*BEGUN, HELD, allowed(2, effect="read"), started(2), succeeded(2)]
    events = history(*written, limits={"steps": 9, "tokens": 9_000, "usd": "1", "seconds": 4})
    command = next_command(fold_all(events), UNTIL)
    assert command == Finish(e.RUN_HALTED, "budget_reached", "seconds")
