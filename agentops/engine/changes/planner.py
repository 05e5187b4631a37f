"""What asking the planner, and its answers, do to a run's state."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.changes.marks import mark_entry
from agentops.engine.events import Event
from agentops.engine.loops import COUNTED, count_proposals
from agentops.engine.state import RECENT_LIMIT, ZERO, CallState, Planned, RunState
from agentops.engine.tiers import begin_call, end_trials, expect_plan, note_trial

# Before this engine version an answer that the budget had cut short completed its run.
CUT_ANSWERS = 3


def _model_requested(state: RunState, facts: Facts, event: Event) -> RunState:
    step = facts["step"]
    _check_turn(state, step)
    return _take_up(state, facts)._replace(
        phase="asking",
        step=step,
        calls=state.open_calls,  # of an external run they go on; others have none
        model_attempt=facts["attempt"],
        reserved_tokens=facts["reserved_tokens"],
        reserved_usd=Decimal(facts["reserved_usd"]),
        retry_at=None,
        unread=False,
        spent=state.spent._replace(steps=step),
    )


def _check_turn(state: RunState, step: int) -> None:
    taken = state.is_external and state.may_take and step == state.step + 1
    next_turn = not state.is_external and step in (state.step, state.step + 1) and not state.open_calls
    if state.phase not in ("ready", "calling") or not (taken or next_turn):
        raise ValueError("the planner may not be asked now")


def _take_up(state: RunState, facts: Facts) -> RunState:
    """Take up the call that has a role; none has, in runs of old, and where no model is asked."""
    if "role" not in facts:
        return state
    return begin_call(state, facts["role"], facts["why"], facts.get("low", False))


def settle_model(state: RunState, facts: Facts) -> RunState:
    spent = state.spent._replace(
        tokens=state.spent.tokens + facts["tokens"],
        usd=state.spent.usd + Decimal(facts["usd"]),
    )
    return state._replace(spent=spent, reserved_tokens=0, reserved_usd=ZERO)


def _step_decided(state: RunState, facts: Facts, event: Event) -> RunState:
    if state.phase != "asking" or facts["step"] != state.step:
        raise ValueError("no answer is awaited")
    calls = tuple(
        CallState(c["call"], c["tool"], c["args_digest"], problem=c.get("problem") or "")
        for c in facts["calls"]
    )
    if state.is_external and [call.number for call in calls] != [state.step]:
        raise ValueError("one call is taken up at a time, under its own number")
    settled = settle_model(_count(end_trials(state), calls), facts)
    settled = settled._replace(
        calls=(*state.calls, *calls), model_attempt=0, model_code="", inbox=state.inbox[1:]
    )
    return mark_entry(_end_turn(settled, facts), event)


def _count(state: RunState, calls: tuple[CallState, ...]) -> RunState:
    """Remember what was proposed, so that a circle is noticed."""
    if state.engine >= COUNTED:
        return count_proposals(state, calls)
    recent = state.recent + tuple(call.signature for call in calls)
    return state._replace(recent=recent[-RECENT_LIMIT:])


def _end_turn(state: RunState, facts: Facts) -> RunState:
    """A final answer stands, unless something was said meanwhile, or the budget cut it short."""
    if not facts["final"]:
        return state._replace(phase="calling")
    if "cut_by" in facts and state.engine >= CUT_ANSWERS:
        return state._replace(phase="ready", exhausted=facts["cut_by"], cut_off=True)
    return state._replace(phase="ready" if state.unread else "answered")


def _model_failed(state: RunState, facts: Facts, event: Event) -> RunState:
    if not facts.get("asked", True):
        state = _go_without(state, facts)
    elif state.phase != "asking":
        raise ValueError("no answer is awaited")
    tried = note_trial(settle_model(state, facts), facts["code"], facts.get("requested_model", ""))
    return tried._replace(
        phase="ready",
        model_code=facts["code"],
        model_retryable=facts["retryable"],
        retry_at=event.at + timedelta(milliseconds=facts["delay_ms"]),
    )


def _go_without(state: RunState, facts: Facts) -> RunState:
    """No model could be asked: that is an attempt like one that failed, for which nothing was spent."""
    _check_turn(state, facts["step"])
    begun = _take_up(state, facts)
    return begun._replace(step=facts["step"], calls=state.open_calls, model_attempt=facts["attempt"])


def _plan_frozen(state: RunState, facts: Facts, event: Event) -> RunState:
    """The plan as it stands from now on; what was called before counts on."""
    own = event.seq  # where it says so, the arguments are in this very entry
    plan = tuple(
        Planned(tool, at_most, _used(state, tool), own if seq is True else seq)
        for tool, at_most, seq in facts["tools"]
    )
    planned = state._replace(plan=plan, planned_until=facts["until"])
    if "call" not in facts:
        return planned
    call = state.call(facts["call"])
    if call.status != "proposed" or facts["step"] != state.step:
        raise ValueError("nobody proposed this plan")
    declared = planned.with_call(call._replace(status="succeeded", code="planned"))
    return mark_entry(expect_plan(declared, "plan_changed"), event)


def _used(state: RunState, tool: str) -> int:
    before = state.planned(tool)
    return before.used if before else 0


CHANGES: dict[str, Change] = {
    e.PLAN_FROZEN: _plan_frozen,
    e.MODEL_REQUESTED: _model_requested,
    e.STEP_DECIDED: _step_decided,
    e.MODEL_FAILED: _model_failed,
}
