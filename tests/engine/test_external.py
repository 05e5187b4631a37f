"""External runs: calls arrive in any order and number, and each is seen to, held up by no other."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.engine import commands as c
from agentops.engine import events as e
from agentops.engine.commands import Command
from agentops.engine.decide import next_command
from agentops.engine.events import Event
from agentops.engine.fold import UnfoldableEvent, fold, fold_all
from agentops.engine.replay import replay
from agentops.engine.snapshots import dump_state, load_state
from agentops.engine.state import MARKS_LIMIT, OPEN_LIMIT, UNREAD_LIMIT, RunState
from tests.engine.histories import RUN, TERMS, Written, history

IDLE_S = 60
EXTERNAL: dict[str, Any] = {"engine": 5, "idle_s": IDLE_S}  # Any: JSON
FREE = {"reserved_tokens": 0, "reserved_usd": "0"}


def arrives(number: int) -> Written:
    return e.CALL_RECEIVED, {"step": number, "size": 10}


def taken(number: int, effect: str = "read") -> list[Written]:
    call = {"call": number, "tool": effect, "args_digest": str(number), "problem": None}
    decided = {"step": number, "calls": [call], "final": False, "tokens": 0, "usd": "0", "size": 10}
    return [(e.MODEL_REQUESTED, {"step": number, "attempt": 1, **FREE}), (e.STEP_DECIDED, decided)]


def about(number: int, **facts: Any) -> dict[str, Any]:  # Any: JSON
    return {"step": number, "call": number, **facts}


def allowed(number: int, effect: str = "read") -> Written:
    return e.CALL_ALLOWED, about(number, **{**TERMS, "effect": effect})


def gated(number: int) -> Written:
    expires_at = RUN["expires_at"]
    return e.CALL_GATED, about(number, **TERMS, approval=f"a{number}", expires_at=expires_at)


def after(*written: Written, seconds: float = 0) -> Command:
    events = history(*written, **EXTERNAL)
    return next_command(fold_all(events), events[-1].at + timedelta(seconds=seconds))


def test_it_waits_for_calls_and_is_complete_when_none_comes() -> None:
    waits = after()
    assert isinstance(waits, c.Wait)
    assert waits.for_people
    assert after(seconds=IDLE_S) == c.Finish(e.RUN_COMPLETED, "")


def test_a_call_is_taken_up_as_a_step_of_its_number() -> None:
    assert after(arrives(1)) == c.AskPlanner(1, 1)
    assert after(arrives(1), *taken(1)) == c.AssessCalls((1,))
    assert after(arrives(1), arrives(2), *taken(1)) == c.AskPlanner(2, 1)


def test_what_waits_for_people_holds_up_neither_reads_nor_writes() -> None:
    first = [arrives(1), *taken(1, "refund"), gated(1)]
    assert isinstance(after(*first), c.Wait)
    second = [*first, arrives(2), *taken(2, "refund"), allowed(2, "reversible")]
    assert after(*second) == c.CallTools((2,))
    assert after(*second, arrives(3), *taken(3), allowed(3)) == c.CallTools((3,)), "reads go first"


def test_nobody_waits_for_so_long_that_it_costs_working_time() -> None:
    events = history(arrives(1), *taken(1), gated(1), **EXTERNAL)
    state = fold_all(events)
    later = fold(state, Event(state.seq + 1, *arrives(2), events[-1].at + timedelta(minutes=30)))
    assert later.spent.worked_ms == state.spent.worked_ms


def test_only_the_next_number_arrives_and_not_without_end() -> None:
    state = fold_all(history(**EXTERNAL))
    with pytest.raises(UnfoldableEvent):
        fold(state, Event(2, *arrives(2), state.expires_at))
    for number in range(1, UNREAD_LIMIT + 1):
        state = fold(state, Event(state.seq + 1, *arrives(number), state.expires_at))
    with pytest.raises(UnfoldableEvent):
        fold(state, Event(state.seq + 1, *arrives(UNREAD_LIMIT + 1), state.expires_at))


def test_other_runs_take_no_calls_from_outside() -> None:
    with pytest.raises(UnfoldableEvent):
        fold_all(history(arrives(1)))


@settings(max_examples=12)
@given(st.randoms(use_true_random=False), st.integers(20, 600))
def test_whatever_comes_in_whatever_order_is_seen_to(dice: Random, turns: int) -> None:
    """Let calls arrive and people decide at random, and the driver do as it is told."""
    events = history(**EXTERNAL)
    state, arrived = fold_all(events), 0
    for _ in range(turns):
        written = _next(state, dice, arrived)
        for kind, facts in written:
            event = Event(state.seq + 1, kind, facts, events[-1].at + timedelta(milliseconds=10))
            events.append(event)
            state = fold(state, event)
            arrived += kind == e.CALL_RECEIVED
        _check(state, arrived)
    assert load_state(dump_state(state)) == state
    replay(events)


def _check(state: RunState, arrived: int) -> None:
    assert state.step + len(state.inbox) == arrived
    assert len(state.open_calls) <= OPEN_LIMIT
    assert len(state.marks) <= MARKS_LIMIT
    kept = {mark.step for mark in state.marks}
    assert {call.number for call in state.open_calls} <= kept, "what is open is still known"


def _next(state: RunState, dice: Random, arrived: int) -> list[Written]:
    """Return what happens next: somebody outside, a person, or the driver."""
    waiting = state.waiting_calls
    if len(state.inbox) < UNREAD_LIMIT and dice.random() < 0.4:
        return [arrives(arrived + 1)]
    if waiting and dice.random() < 0.2:
        verdict = dice.choice((e.APPROVAL_GRANTED, e.APPROVAL_REFUSED))
        number = dice.choice(waiting).number
        return [(verdict, about(number, approval="a", verdict="x", code="denied_by_human"))]
    return _drive(state, dice)


def _drive(state: RunState, dice: Random) -> list[Written]:
    match next_command(state, state.heard_at or state.expires_at):
        case c.AskPlanner(step, _):
            return taken(step, dice.choice(("read", "refund")))
        case c.AssessCalls((number, *_)):
            effect = "read" if state.call(number).tool == "read" else "reversible"
            refused = e.CALL_REFUSED, about(number, code="no_grant")
            return [dice.choice((allowed(number, effect), gated(number), refused))]
        case c.CallTools((number, *_)):
            begun = e.ATTEMPT_STARTED, about(number, attempt=state.call(number).attempts + 1, claims=[])
            return [begun, (e.CALL_SUCCEEDED, about(number, attempt=begun[1]["attempt"], code="ok"))]
        case _:
            return []
