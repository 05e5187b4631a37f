from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.fold import UnfoldableEvent, fold, fold_all
from agentops.engine.state import MARKS_LIMIT, RECENT_LIMIT, RunState
from tests.engine.histories import TERMS, asked, decided, history, requested
from tests.engine.simulation import Simulation, ended_runs
from tests.engine.world import START


@given(ended_runs, st.data())
def test_folding_a_prefix_never_looks_ahead(run: Simulation, data: st.DataObject) -> None:
    """Neither does a state share anything with what it was folded from, through which the future could reach it."""
    place = data.draw(st.integers(1, len(run.events)))
    events = deepcopy(run.events)
    state = kept = fold_all(events[:place])
    for event in events[:place]:
        _spoil(event.facts)
    for event in events[place:]:
        state = fold(state, event)
        _spoil(event.facts)
    assert kept == run.states[place - 1]
    assert state == run.state


def _spoil(value: Any) -> None:  # Any: JSON
    """Empty a document, innermost first, as whoever goes on using it might."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _spoil(part)
        value.clear()


@given(ended_runs)
def test_a_state_stays_small_however_long_the_run(run: Simulation) -> None:
    for state in run.states:
        assert len(state.recent) <= RECENT_LIMIT
        assert len(state.marks) <= MARKS_LIMIT
        assert len(state.calls) <= run.world.tool_calls


@given(ended_runs)
def test_no_history_exceeds_a_limit(run: Simulation) -> None:
    """Reserved beforehand, and with what the run has drawn of shared budgets."""
    for state in run.states:
        spent, limits, drawn = state.spent, state.limits, state.drawn
        tokens, usd = spent.tokens + state.reserved_tokens, spent.usd + state.reserved_usd
        assert spent.steps <= limits.steps
        assert tokens <= limits.tokens
        assert usd <= limits.usd
        assert drawn.steps is None or spent.steps <= drawn.steps <= limits.steps
        assert drawn.tokens is None or tokens <= drawn.tokens <= limits.tokens
        assert drawn.usd is None or usd <= drawn.usd <= limits.usd


@given(ended_runs)
def test_what_is_reserved_is_settled(run: Simulation) -> None:
    for state in run.states:
        asking = state.phase == "asking"
        assert (state.reserved_tokens > 0) == asking
    granted = (*e.OF_ESCROW, e.BUDGET_EXTENDED)
    charged = [event.facts for event in run.events if "tokens" in event.facts and event.kind not in granted]
    assert run.state.spent.tokens == sum(facts["tokens"] for facts in charged)


@given(ended_runs, st.data())
def test_waiting_for_people_is_no_working_time(run: Simulation, data: st.DataObject) -> None:
    """Stretch the time behind one event: what the run has worked grows by that, or not at all."""
    place = data.draw(st.integers(1, len(run.events) - 1)) if len(run.events) > 1 else None
    if place is None:
        return
    state, longer = run.states[place - 1], timedelta(hours=5)
    later = [event._replace(at=event.at + longer) for event in run.events[place:]]
    stretched = fold_all([*run.events[:place], *later])
    grown = stretched.spent.worked_ms - run.state.spent.worked_ms
    if state.waits_for_people or state.working_since is None:
        assert grown == 0
    else:
        assert grown > 0


@given(ended_runs)
def test_at_most_one_write_is_under_way(run: Simulation) -> None:
    for state in run.states:
        writes = [call for call in state.calls if call.status == "started" and call.effect != "read"]
        assert len(writes) <= 1
        for call in writes:
            earlier = [each for each in state.calls if each.number < call.number and each.effect != "read"]
            assert all(each.settled or each.status == "asked" for each in earlier)


@given(ended_runs)
def test_the_planner_is_asked_when_all_calls_have_settled(run: Simulation) -> None:
    for before, event in zip(run.states, run.events[1:], strict=False):
        if event.kind == e.MODEL_REQUESTED:
            assert before.open_calls == ()


@given(ended_runs)
def test_a_write_in_doubt_is_repeated_only_under_a_key_that_is_honoured(run: Simulation) -> None:
    for before, event in zip(run.states, run.events[1:], strict=False):
        if event.kind == e.ATTEMPT_STARTED:
            call = before.call(event.facts["call"])
            assert not call.in_doubt or call.idempotency == "honours_key"


@given(ended_runs)
def test_a_call_in_doubt_is_never_called_failed_or_refused(run: Simulation) -> None:
    for before, event in zip(run.states, run.events[1:], strict=False):
        if event.kind in (e.CALL_FAILED, e.CALL_REFUSED, e.APPROVAL_REFUSED):
            assert not before.call(event.facts["call"]).in_doubt


@given(ended_runs)
def test_a_gated_call_starts_only_after_its_approval(run: Simulation) -> None:
    for before, event in zip(run.states, run.events[1:], strict=False):
        if event.kind == e.ATTEMPT_STARTED:
            call = before.call(event.facts["call"])
            granted = any(
                each.kind == e.APPROVAL_GRANTED and each.facts["approval"] == call.approval
                for each in run.events[: before.seq]
            )
            assert granted or not call.approval


# --- one event at a time ----------------------------------------------------------------------------------


def test_a_lost_answer_is_charged_and_the_next_one_too() -> None:
    lost = {"step": 1, "code": "lost", "retryable": True, "delay_ms": 0, "tokens": 900, "usd": "0.01"}
    state = fold_all(history(requested(1), (e.MODEL_FAILED, lost), requested(1, attempt=2), decided(1)))
    assert (state.spent.tokens, str(state.spent.usd), state.spent.steps) == (1000, "0.011", 1)


def test_a_message_after_the_last_answer_makes_the_run_go_on() -> None:
    state = fold_all(history(requested(1), decided(1, final=True), (e.MESSAGE_RECEIVED, {"size": 3})))
    assert state.phase == "ready"


def test_a_message_during_the_last_answer_makes_the_run_go_on() -> None:
    state = fold_all(history(requested(1), (e.MESSAGE_RECEIVED, {"size": 3}), decided(1, final=True)))
    assert state.phase == "ready"


def test_a_message_before_the_last_question_has_been_read() -> None:
    state = fold_all(history((e.MESSAGE_RECEIVED, {"size": 3}), requested(1), decided(1, final=True)))
    assert state.phase == "answered"


def test_the_time_that_a_due_run_waited_for_a_driver_is_no_working_time() -> None:
    events = history(requested(1), decided(1, final=False))
    late = events[-1]._replace(
        at=START + timedelta(seconds=70), facts={**events[-1].facts, "idle_ms": 60_000}
    )
    assert fold_all([*events[:-1], late]).spent.worked_ms == fold_all(events[:-1]).spent.worked_ms + 9_000


def test_the_request_stays_in_the_window_however_long_the_run() -> None:
    """With a step's decision go its outcomes: an answer without its question confuses every model."""
    steps = []
    for step in range(1, MARKS_LIMIT):
        outcome = (e.CALL_SUCCEEDED, {"step": step, "call": 1, "code": "ok", "size": 1})
        start = (e.ATTEMPT_STARTED, {"step": step, "call": 1, "attempt": 1, "claims": []})
        allowed = (e.CALL_ALLOWED, {"step": step, "call": 1, **TERMS})
        steps += [requested(step), decided(step), allowed, start, outcome]
    marks = fold_all(history(*steps)).marks
    assert len(marks) <= MARKS_LIMIT
    assert (marks[0].seq, marks[0].step) == (1, 0)
    counts = [sum(mark.step == step for mark in marks) for step in {mark.step for mark in marks[1:]}]
    assert set(counts) == {2}, "a decision and its outcome, or neither"


def test_many_messages_in_one_step_keep_its_decision() -> None:
    chatter = [(e.MESSAGE_RECEIVED, {"size": 1})] * (MARKS_LIMIT + 5)
    marks = fold_all(history(requested(1), decided(1), *chatter)).marks
    assert len(marks) <= MARKS_LIMIT
    assert [mark.seq for mark in marks[:2]] == [1, 3]


# --- what cannot follow -----------------------------------------------------------------------------------

ALLOWED = (e.CALL_ALLOWED, {"step": 1, "call": 1, **TERMS})
STARTED = (e.ATTEMPT_STARTED, {"step": 1, "call": 1, "attempt": 1, "claims": []})
SUCCEEDED = (e.CALL_SUCCEEDED, {"step": 1, "call": 1, "code": "ok"})
ENDED: tuple[str, dict[str, object]] = (e.RUN_COMPLETED, {})


@pytest.mark.parametrize(
    ("before", "last"),
    [
        ([], ("run.invented", {})),
        ([], (e.RUN_STARTED, {})),
        ([], decided(1)),
        ([requested(1)], requested(1, attempt=2)),
        ([requested(1)], decided(2)),
        ([requested(1), decided(1)], requested(2)),
        ([requested(1), decided(1)], STARTED),
        ([requested(1), decided(1)], (e.CALL_ALLOWED, {**ALLOWED[1], "call": 9})),
        ([requested(1), decided(1)], (e.CALL_ALLOWED, {**ALLOWED[1], "step": 2})),
        ([requested(1), decided(1), ALLOWED], SUCCEEDED),
        ([requested(1), decided(1), ALLOWED, STARTED], STARTED),
        ([requested(1), decided(1), ALLOWED], (e.ATTEMPT_STARTED, {**STARTED[1], "attempt": 2})),
        ([requested(1), decided(1), ALLOWED, STARTED, SUCCEEDED], SUCCEEDED),
        ([requested(1), decided(1), ALLOWED], (e.APPROVAL_GRANTED, {"step": 1, "call": 1})),
        ([requested(1), decided(1), ALLOWED], (e.INPUT_RECEIVED, {"step": 1, "call": 1})),
        ([requested(1), decided(1), asked(1)], (e.INPUT_RECEIVED, {"step": 2, "call": 1})),
        ([requested(1), decided(1), ALLOWED], (e.OUTCOME_SETTLED, {"step": 1, "call": 1, "happened": True})),
        ([requested(1), decided(1), ALLOWED, STARTED], (e.CALL_PARKED, {"step": 1, "call": 1})),
        ([requested(1), decided(1)], (e.CALL_ALLOWED, {"step": 1, "call": 1})),
        ([requested(1), decided(1, final=True), ENDED], (e.RUN_PAUSED, {})),
    ],
)
def test_an_event_that_cannot_follow_is_refused(
    before: list[tuple[str, dict[str, Any]]], last: tuple[str, dict[str, Any]]
) -> None:
    *events, event = history(*before, last)
    state = fold_all(events)
    with pytest.raises(UnfoldableEvent):
        fold(state, event)


def test_a_history_starts_with_its_start() -> None:
    with pytest.raises(UnfoldableEvent):
        fold(None, Event(1, e.RUN_PAUSED, {}, START))
    with pytest.raises(UnfoldableEvent):
        fold(None, history()[0]._replace(seq=2))
    with pytest.raises(UnfoldableEvent):
        fold_all([])


@pytest.mark.parametrize("seq", [1, 2, 4])
def test_an_event_out_of_order_is_refused(seq: int) -> None:
    state = fold_all(history(requested(1)))
    with pytest.raises(UnfoldableEvent):
        fold(state, Event(seq, e.RUN_PAUSED, {}, START))


def test_a_person_settles_only_what_is_parked_in_this_step() -> None:
    state: RunState = fold_all(
        history(
            requested(1),
            decided(1),
            ALLOWED,
            STARTED,
            (e.CALL_UNKNOWN, {"step": 1, "call": 1, "code": "lost", "then": "park", "delay_ms": 0}),
            (e.CALL_PARKED, {"step": 1, "call": 1}),
        )
    )
    with pytest.raises(UnfoldableEvent):
        fold(state, Event(state.seq + 1, e.OUTCOME_SETTLED, {"step": 2, "call": 1, "happened": True}, START))
