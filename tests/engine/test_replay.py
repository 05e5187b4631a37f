from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentops.engine import commands as c
from agentops.engine import decide
from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.fold import UnfoldableEvent
from agentops.engine.replay import replay
from agentops.errors import NondeterminismError
from tests.engine.histories import TERMS, decided, history, requested
from tests.engine.simulation import Simulation, ended_runs


@given(ended_runs)
def test_a_stream_replayed_gives_the_same_commands(run: Simulation) -> None:
    """Also where people got in between, where drivers died, and where they folded again."""
    assert replay(run.events) == run.decisions


@given(ended_runs)
def test_a_stream_that_is_cut_off_is_a_history_too(run: Simulation) -> None:
    for length in range(1, len(run.events) + 1):
        given_then = replay(run.events[:length])
        assert given_then == run.decisions[: len(given_then)]


@given(ended_runs, st.data())
def test_an_intent_that_is_taken_out_is_missed(run: Simulation, data: st.DataObject) -> None:
    """What was started is always settled before anything else, so its outcome stands alone without it."""
    intents = (e.MODEL_REQUESTED, e.ATTEMPT_STARTED)
    places = [place for place, event in enumerate(run.events) if event.kind in intents]
    assume(places)
    place = data.draw(st.sampled_from(places))
    rest = [event._replace(seq=event.seq - 1) for event in run.events[place + 1 :]]
    with pytest.raises((NondeterminismError, UnfoldableEvent)):
        replay([*run.events[:place], *rest])


ALLOWED = (e.CALL_ALLOWED, {"step": 1, "call": 1, **TERMS})
STARTED = (e.ATTEMPT_STARTED, {"step": 1, "call": 1, "attempt": 1, "claims": []})
SUCCEEDED = (e.CALL_SUCCEEDED, {"step": 1, "call": 1, "code": "ok"})
KILLED: tuple[str, dict[str, object]] = (e.RUN_KILLED, {})
HALTED = (e.RUN_HALTED, {"reason": "killed"})


def test_an_ordinary_history() -> None:
    written = [requested(1), decided(1), ALLOWED, STARTED, SUCCEEDED, requested(2), decided(2, final=True)]
    commands = replay(history(*written, (e.RUN_COMPLETED, {"reason": ""})))
    assert commands == [
        c.AskPlanner(1, 1),
        c.AssessCalls((1,)),
        c.CallTools((1,)),
        c.AskPlanner(2, 1),
        c.Finish(e.RUN_COMPLETED, ""),
    ]


def test_an_outcome_that_came_before_a_kill_was_known() -> None:
    replay(history(requested(1), decided(1), ALLOWED, STARTED, KILLED, SUCCEEDED, HALTED))


def test_an_assessment_that_came_before_a_kill_was_known() -> None:
    replay(history(requested(1), decided(1), KILLED, ALLOWED, HALTED))


@pytest.mark.parametrize(
    "written",
    [
        [requested(2)],
        [requested(1, attempt=2)],
        [requested(1), decided(1), ALLOWED, (e.CALL_DEFERRED, {"step": 1, "call": 2})],
        [requested(1), decided(1), ALLOWED, KILLED, STARTED],
        [requested(1), decided(1), ALLOWED, HALTED],
        [requested(1), decided(1, final=True), (e.RUN_HALTED, {"reason": "stuck"})],
        [requested(1), decided(1, final=True), requested(2)],
        [KILLED, (e.RUN_CANCELLED, {"reason": "cancelled_by_user"})],
        [(e.RUN_PAUSED, {}), requested(1)],
        [requested(1), decided(1, calls=2), ALLOWED, STARTED],
        [requested(1), decided(1), (e.CALL_PARKED, {"step": 1, "call": 1})],
        [requested(1), (e.BUDGET_EXHAUSTED, {"limit": "usd"})],
        [
            (e.BUDGET_EXHAUSTED, {"limit": "usd"}),
            (e.RUN_HALTED, {"reason": "budget_reached", "limit": "steps"}),
        ],
    ],
)
def test_a_decision_that_the_engine_would_not_take_fails_loudly(
    written: list[tuple[str, dict[str, object]]],
) -> None:
    with pytest.raises((NondeterminismError, UnfoldableEvent)):
        replay(history(*written))


def test_the_outcome_of_an_attempt_that_is_not_recorded_is_no_refusal_of_it() -> None:
    """A retry that may not go out is noted by the same kind of event, with the number of the last attempt."""

    def unknown(attempt: int, then: str) -> tuple[str, dict[str, object]]:
        facts = {"step": 1, "call": 1, "attempt": attempt, "code": "lost", "then": then, "delay_ms": 0}
        return e.CALL_UNKNOWN, facts

    begun = [requested(1), decided(1), ALLOWED, STARTED, unknown(1, "retry")]
    again = (e.ATTEMPT_STARTED, {**STARTED[1], "attempt": 2})
    replay(history(*begun, unknown(1, "park")))
    replay(history(*begun, again, unknown(2, "park")))
    with pytest.raises(NondeterminismError):
        replay(history(*begun, unknown(2, "park")))


TROUBLE: dict[str, object] = {"step": 1, "call": 1, "attempt": 1, "status": "failed", "retryable": True}


@pytest.mark.parametrize(
    ("kind", "told", "fits"),
    [
        (e.ATTEMPT_FAILED, {"delay_ms": 250}, True),
        (e.ATTEMPT_FAILED, {"delay_ms": 251}, False),
        (e.ATTEMPT_FAILED, {"delay_ms": 250, "retry_budget": "exhausted"}, False),
        (e.CALL_FAILED, {}, False),
        (e.CALL_UNKNOWN, {"then": "park", "delay_ms": 0}, False),
    ],
)
def test_what_follows_an_attempt_is_decided_again(kind: str, told: dict[str, object], fits: bool) -> None:
    outcome = (kind, {**TROUBLE, "code": "busy", "jitter": 500_000, **told})
    events = history(requested(1), decided(1), ALLOWED, STARTED, outcome)
    if fits:
        replay(events)
        return
    with pytest.raises(NondeterminismError, match=r"attempt\.failed|call\.failed"):
        replay(events)


def test_what_followed_before_its_inputs_were_recorded_is_believed() -> None:
    outcome = (e.ATTEMPT_FAILED, {**TROUBLE, "code": "busy", "delay_ms": 1})
    replay(history(requested(1), decided(1), ALLOWED, STARTED, outcome))


def test_a_question_about_a_call_that_is_asked_too_early_is_noticed() -> None:
    doubt = (e.CALL_UNKNOWN, {**TROUBLE, "code": "gone", "then": "read_back", "delay_ms": 2_000})
    begun = [requested(1), decided(1), ALLOWED, STARTED, doubt]
    paused: list[tuple[str, dict[str, object]]] = [(e.RUN_PAUSED, {})]
    with pytest.raises(NondeterminismError):
        replay(history(*begun, SUCCEEDED))
    replay(history(*begun, *paused, (e.RUN_UNPAUSED, {}), SUCCEEDED))


def test_an_ending_that_was_written_before_it_named_its_limit_is_explained() -> None:
    exhausted = (e.BUDGET_EXHAUSTED, {"limit": "usd"})
    replay(history(exhausted, (e.RUN_HALTED, {"reason": "budget_reached"})))


def test_it_is_named() -> None:
    with pytest.raises(NondeterminismError) as different:
        replay(history(KILLED, requested(1)))
    assert different.value.expected == c.Finish(e.RUN_HALTED, "killed")
    assert "model.requested" in str(different.value.recorded)


def test_without_a_rule_of_the_engine_old_histories_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: an engine that has forgotten how to see circles."""
    kind, facts = decided(1, calls=3)
    same = [{**call, "args_digest": "same"} for call in facts["calls"]]
    stuck = [requested(1), (kind, {**facts, "calls": same}), (e.RUN_HALTED, {"reason": "stuck"})]
    assert replay(history(*stuck, repeat_limit=3))[-1] == c.Finish(e.RUN_HALTED, "stuck")
    monkeypatch.setattr(decide, "is_stuck", lambda state: False)
    with pytest.raises(NondeterminismError):
        replay(history(*stuck, repeat_limit=3))


def test_an_empty_stream_is_no_history() -> None:
    with pytest.raises(UnfoldableEvent):
        replay([])
    with pytest.raises(UnfoldableEvent):
        replay([Event(1, e.RUN_PAUSED, {}, history()[0].at)])
