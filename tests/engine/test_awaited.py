"""A task that an agent elsewhere works on: waited for without a worker, asked about when that is due, sent once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentops.engine import events as e
from agentops.engine.commands import CallTools, Finish, ReadBack, Wait
from agentops.engine.decide import next_command
from agentops.engine.fold import fold_all
from agentops.engine.replay import replay
from agentops.engine.snapshots import dump_state, load_state
from agentops.engine.state import RunState
from agentops.errors import NondeterminismError
from tests.engine.histories import Written, decided, history, requested
from tests.engine.situations import WHERE, allowed, started, succeeded, unknown
from tests.engine.world import START

ASKED = [requested(1), decided(1, calls=1)]


def awaited(code: str = "remote_working", delay_ms: int = 2_000) -> Written:
    return e.CALL_AWAITED, {**WHERE, "code": code, "remote": "t-1", "delay_ms": delay_ms}


def state_after(*written: Written) -> RunState:
    return fold_all(history(*ASKED, *written))


def test_it_is_waited_for_until_it_is_due_and_then_asked_about() -> None:
    events = history(*ASKED, allowed(), started(), awaited())
    state, at = fold_all(events), events[-1].at
    assert (state.call(1).status, state.call(1).remote, state.call(1).polls) == ("awaited", "t-1", 1)
    waits = next_command(state, at)
    assert waits == Wait(at + timedelta(seconds=2), "in_progress", for_people=True)
    assert next_command(state, at + timedelta(seconds=2)) == ReadBack(1)


def test_its_time_is_not_the_runs() -> None:
    """However long it takes, the run's working time is not used up by it."""
    state = state_after(allowed(), started(), awaited(delay_ms=60_000))
    late = START + timedelta(seconds=10 * state.limits.seconds)
    assert next_command(state, late) == ReadBack(1)


@pytest.mark.parametrize("effect", ["read", "reversible"])
def test_an_effect_is_in_doubt_until_it_is_told(effect: str) -> None:
    state = state_after(allowed(effect=effect), started(), awaited())
    assert state.call(1).in_doubt is (effect != "read")


@pytest.mark.parametrize(
    "then",
    [[succeeded()], [awaited("remote_auth_required", 0), succeeded()], [unknown("read_back"), succeeded()]],
)
def test_whatever_it_is_heard_to_be_is_explained(then: list[Written]) -> None:
    commands = replay(history(*ASKED, allowed(), started(), awaited(delay_ms=0), *then))
    assert ReadBack(1) in commands


def test_nothing_is_sent_again_while_it_is_awaited() -> None:
    state = state_after(allowed(), started(), awaited(delay_ms=0))
    assert not isinstance(next_command(state, START + timedelta(hours=1)), CallTools)
    with pytest.raises((NondeterminismError, ValueError)):
        replay(history(*ASKED, allowed(), started(), awaited(delay_ms=0), started(attempt=2)))


def test_who_cancels_does_not_wait_for_it() -> None:
    state = state_after(allowed(), started(), awaited(), (e.CANCEL_REQUESTED, {}))
    assert next_command(state, START) == Finish(e.RUN_CANCELLED, "cancelled_by_user")


def test_it_survives_a_snapshot() -> None:
    state = state_after(allowed(), started(), awaited())
    assert load_state(dump_state(state)) == state
