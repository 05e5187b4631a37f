"""Folding: one event at a time, each with everything it needs, never looking ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.state import (
    MARKS_LIMIT,
    RECENT_LIMIT,
    ZERO,
    CallState,
    CallStatus,
    Drawn,
    Limits,
    Mark,
    RunState,
)

Facts = dict[str, Any]  # Any: JSON


class UnfoldableEvent(ValueError):
    """The stream holds an event that this state cannot take: it was written by other rules."""


def fold(state: RunState | None, event: Event) -> RunState:
    """Return the state after one more event; raises UnfoldableEvent for one out of order or unknown."""
    if state is None:
        return _start(event)
    if event.seq != state.seq + 1 or (state.has_ended and event.kind != e.OUTCOME_SETTLED):
        raise UnfoldableEvent(f"{event.kind} at {event.seq} cannot follow {state.seq} ({state.phase})")
    try:
        change = _CHANGES[event.kind]
        changed = change(state, event.facts, event)
    except (KeyError, ValueError) as error:
        raise UnfoldableEvent(f"{event.kind} at {event.seq}: {error!r}") from error
    return _move_on(changed, event)


def fold_all(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Return the state after all events; raises UnfoldableEvent when there is none."""
    for event in events:
        state = fold(state, event)
    if state is None:
        raise UnfoldableEvent("the stream is empty")
    return state


def _start(event: Event) -> RunState:
    if event.kind != e.RUN_STARTED or event.seq != 1:
        raise UnfoldableEvent(f"a run starts with {e.RUN_STARTED}, not with {event.kind} at {event.seq}")
    limits = event.facts["limits"]
    return RunState(
        limits=Limits(limits["steps"], limits["tokens"], Decimal(limits["usd"]), limits["seconds"]),
        expires_at=datetime.fromisoformat(event.facts["expires_at"]),
        repeat_limit=event.facts["repeat_limit"],
        engine=event.facts.get("engine", 1),
        drawn=_drawn(event.facts.get("shared")),
        seq=1,
        marks=(Mark(1, 0, event.facts.get("size", 0)),),
    )


def _drawn(shared: list[str] | None) -> Drawn:
    """A run limited by a shared budget starts with nothing drawn of it."""
    held = shared or []
    return Drawn(
        0 if "steps" in held else None, 0 if "tokens" in held else None, ZERO if "usd" in held else None
    )


def _move_on(state: RunState, event: Event) -> RunState:
    """Count the event, and the time since the last one, but not what a due run waited for a driver (``idle_ms``)."""
    spent = state.spent
    if state.working_since is not None:
        passed = (event.at - state.working_since) // timedelta(milliseconds=1)
        # Not bounded by zero here: somebody's word may have come between the idle time and the event that tells it.
        spent = spent._replace(worked_ms=max(0, spent.worked_ms + passed - event.facts.get("idle_ms", 0)))
    working = event.kind in _BY_DRIVER or state.working_since is not None
    since = event.at if working and not state.waits_for_people and not state.has_ended else None
    return state._replace(seq=event.seq, spent=spent, working_since=since)


def _mark(state: RunState, event: Event) -> RunState:
    """Remember that this entry's content belongs to the model's window."""
    said = event.kind == e.MESSAGE_RECEIVED
    mark = Mark(event.seq, state.step, event.facts.get("size", 0), said)
    marks = (*state.marks, mark)
    return state._replace(marks=marks if len(marks) <= MARKS_LIMIT else _forget_oldest(marks))


def _forget_oldest(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Forget the oldest step whole, for an answer without its question confuses every model; never the request."""
    request, *rest = marks
    kept = [mark for mark in rest if mark.step > rest[0].step]
    if not kept:  # one step has so many marks only by what the user said meanwhile
        kept = [mark for mark in rest if mark is not next((each for each in rest if each.said), rest[0])]
    return request, *kept


# --- people ---------------------------------------------------------------------------------------------


def _message_received(state: RunState, facts: Facts, event: Event) -> RunState:
    phase = "ready" if state.phase == "answered" else state.phase
    return _mark(state._replace(unread=True, phase=phase), event)


def _person_answered(state: RunState, facts: Facts, event: Event) -> RunState:
    call = state.call(facts["call"])
    if call.status != "asked" or facts["step"] != state.step:
        raise ValueError("nobody was asked this")
    return _mark(state.with_call(call._replace(status="succeeded", code="answered")), event)


def _outcome_settled(state: RunState, facts: Facts, event: Event) -> RunState:
    call = state.call(facts["call"])
    # Once the run has ended nobody else finds out what became of a call in doubt.
    may_settle = call in state.unsettled_outcomes if state.has_ended else call.status == "parked"
    if not may_settle or facts["step"] != state.step:
        raise ValueError("the call is not parked")
    status: CallStatus = "succeeded" if facts["happened"] else "failed"
    return _mark(state.with_call(call._replace(status=status, code="settled_by_person")), event)


def _paused(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(paused=True)


def _unpaused(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(paused=False)


def _cancel_requested(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(cancelling=True)


def _killed(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(killed=True)


# --- the planner ----------------------------------------------------------------------------------------


def _model_requested(state: RunState, facts: Facts, event: Event) -> RunState:
    step = facts["step"]
    if (
        state.phase not in ("ready", "calling")
        or step not in (state.step, state.step + 1)
        or state.open_calls
    ):
        raise ValueError("the planner may not be asked now")
    return state._replace(
        phase="asking",
        step=step,
        calls=(),
        model_attempt=facts["attempt"],
        reserved_tokens=facts["reserved_tokens"],
        reserved_usd=Decimal(facts["reserved_usd"]),
        retry_at=None,
        unread=False,
        spent=state.spent._replace(steps=step),
    )


def _settle_model(state: RunState, facts: Facts) -> RunState:
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
    recent = state.recent + tuple(f"{c.tool}:{c.args_digest}" for c in calls)
    final = "ready" if state.unread else "answered"
    settled = _settle_model(state, facts)._replace(
        phase=final if facts["final"] else "calling",
        calls=calls,
        recent=recent[-RECENT_LIMIT:],
        model_attempt=0,
        model_code="",
    )
    return _mark(settled, event)


def _model_failed(state: RunState, facts: Facts, event: Event) -> RunState:
    if state.phase != "asking":
        raise ValueError("no answer is awaited")
    return _settle_model(state, facts)._replace(
        phase="ready",
        model_code=facts["code"],
        model_retryable=facts["retryable"],
        retry_at=event.at + timedelta(milliseconds=facts["delay_ms"]),
    )


# --- tool calls -----------------------------------------------------------------------------------------


def _pick(state: RunState, facts: Facts, *statuses: str) -> CallState:
    if state.phase != "calling" or facts["step"] != state.step:
        raise ValueError("not the current step")
    call = state.call(facts["call"])
    if call.status not in statuses:
        raise ValueError(f"call {call.number} is {call.status}")
    return call


def _call_allowed(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "proposed", "approved", "allowed", "deferred", "waiting")
    return state.with_call(_with_terms(call, facts, "allowed"))


def _call_gated(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "proposed", "allowed", "approved", "retrying", "deferred")
    asked = _with_terms(call, facts, "waiting")._replace(
        approval=facts["approval"], expires_at=facts["expires_at"]
    )
    return state.with_call(asked)


def _with_terms(call: CallState, facts: Facts, status: CallStatus) -> CallState:
    return call._replace(
        status=status,
        tool_version=facts["tool_version"],
        effect=facts["effect"],
        idempotency=facts["idempotency"],
        max_attempts=facts["max_attempts"],
        backoff_base_s=facts["backoff_base_ms"] / 1000,
        backoff_cap_s=facts["backoff_cap_ms"] / 1000,
        on_unknown=facts["on_unknown"],
        on_breaker_open=facts["on_breaker_open"],
        retry_at=None,
    )


def _call_refused(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "proposed", "allowed", "approved", "waiting", "retrying", "deferred")
    return _mark(state.with_call(call._replace(status="refused", code=facts["code"], retry_at=None)), event)


def _call_asked(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "proposed")
    return state.with_call(call._replace(status="asked", code=facts["action"]))


def _approval_granted(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "waiting")
    return state.with_call(call._replace(status="approved"))


def _approval_refused(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "waiting")
    return _mark(state.with_call(call._replace(status="refused", code=facts["code"])), event)


def _attempt_started(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "allowed", "approved", "retrying", "deferred")
    if facts["attempt"] != call.attempts + 1:
        raise ValueError(f"attempt {facts['attempt']} cannot follow {call.attempts}")
    claims = call.claims + tuple((window, amount) for window, amount in facts["claims"])
    started = call._replace(status="started", attempts=facts["attempt"], retry_at=None, claims=claims)
    return state.with_call(started)


def _attempt_failed(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "started", "unknown")
    retry_at = event.at + timedelta(milliseconds=facts["delay_ms"])
    # A read-back that found nothing has settled the doubt about earlier attempts.
    in_doubt = call.in_doubt and not facts.get("read_back", False)
    return state.with_call(
        call._replace(status="retrying", code=facts["code"], retry_at=retry_at, in_doubt=in_doubt)
    )


def _call_deferred(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "allowed", "approved", "retrying", "deferred")
    retry_at = datetime.fromisoformat(facts["retry_at"])
    return state.with_call(call._replace(status="deferred", code=facts["code"], retry_at=retry_at))


def _call_ended(status: CallStatus) -> Callable[[RunState, Facts, Event], RunState]:
    def change(state: RunState, facts: Facts, event: Event) -> RunState:
        # A replayed outcome was recorded under this key before: no attempt is made for it.
        before = (
            ("allowed", "approved", "retrying", "deferred")
            if facts.get("replayed")
            else ("started", "unknown")
        )
        call = _pick(state, facts, *before)
        return _mark(state.with_call(call._replace(status=status, code=facts["code"], retry_at=None)), event)

    return change


def _call_unknown(state: RunState, facts: Facts, event: Event) -> RunState:
    # A call in doubt that may not be repeated any more was retrying or deferred.
    call = _pick(
        state, facts, "started", "unknown", *(("retrying", "deferred") if facts["then"] == "park" else ())
    )
    retry_at = event.at + timedelta(milliseconds=facts["delay_ms"])
    changed = call._replace(code=facts["code"], retry_at=retry_at, in_doubt=True)
    if facts["then"] == "retry":
        changed = changed._replace(status="retrying")
    elif facts["then"] == "read_back":
        changed = changed._replace(status="unknown", read_backs=call.read_backs + 1)
    else:
        changed = changed._replace(status="parking", retry_at=None)
    return state.with_call(changed)


def _call_parked(state: RunState, facts: Facts, event: Event) -> RunState:
    call = _pick(state, facts, "parking")
    return state.with_call(call._replace(status="parked"))


# --- budgets and endings --------------------------------------------------------------------------------


def _budget_bound(state: RunState, facts: Facts, event: Event) -> RunState:
    """A budget was set under way: the next call draws on all anew, and what was spent before is not the new one's."""
    held, spent, shared = state.drawn, state.spent, facts["shared"]
    drawn = Drawn(
        spent.steps if held.steps is None and "steps" in shared else held.steps,
        spent.tokens if held.tokens is None and "tokens" in shared else held.tokens,
        spent.usd if held.usd is None and "usd" in shared else held.usd,
        event.at,
    )
    return state._replace(drawn=drawn, unshared=state.unshared if held.units else spent)


def _budget_drawn(state: RunState, facts: Facts, event: Event) -> RunState:
    held = state.drawn
    return state._replace(
        drawn=Drawn(
            None if held.steps is None else held.steps + facts["steps"],
            None if held.tokens is None else held.tokens + facts["tokens"],
            None if held.usd is None else held.usd + Decimal(facts["usd"]),
            datetime.fromisoformat(facts["until"]),
        ),
    )


def _budget_returned(state: RunState, facts: Facts, event: Event) -> RunState:
    if state.phase == "asking":
        raise ValueError("what is reserved cannot go back")
    held = state.drawn
    kept = Drawn(
        None if held.steps is None else held.steps - facts["steps"],
        None if held.tokens is None else held.tokens - facts["tokens"],
        None if held.usd is None else held.usd - Decimal(facts["usd"]),
        held.until,
    )
    return state._replace(drawn=kept)


def _budget_exhausted(state: RunState, facts: Facts, event: Event) -> RunState:
    whose = f"{facts['whose']} {facts['window']}" if "whose" in facts else ""
    return state._replace(exhausted=facts["limit"], exhausted_of=whose)


def _authority_lost(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(lost_authority=facts["code"])


def _ended(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(
        phase="ended",
        ending=e.ENDINGS[event.kind],
        reason=facts.get("reason", ""),
        exhausted=facts.get("limit", state.exhausted),
        reserved_tokens=0,
        reserved_usd=ZERO,
    )


_CHANGES: dict[str, Callable[[RunState, Facts, Event], RunState]] = {
    e.MESSAGE_RECEIVED: _message_received,
    e.INPUT_RECEIVED: _person_answered,
    e.HANDOVER_ANSWERED: _person_answered,
    e.OUTCOME_SETTLED: _outcome_settled,
    e.RUN_PAUSED: _paused,
    e.RUN_UNPAUSED: _unpaused,
    e.CANCEL_REQUESTED: _cancel_requested,
    e.RUN_KILLED: _killed,
    e.MODEL_REQUESTED: _model_requested,
    e.STEP_DECIDED: _step_decided,
    e.MODEL_FAILED: _model_failed,
    e.CALL_ALLOWED: _call_allowed,
    e.CALL_GATED: _call_gated,
    e.CALL_REFUSED: _call_refused,
    e.CALL_ASKED: _call_asked,
    e.APPROVAL_GRANTED: _approval_granted,
    e.APPROVAL_REFUSED: _approval_refused,
    e.ATTEMPT_STARTED: _attempt_started,
    e.ATTEMPT_FAILED: _attempt_failed,
    e.CALL_DEFERRED: _call_deferred,
    e.CALL_SUCCEEDED: _call_ended("succeeded"),
    e.CALL_FAILED: _call_ended("failed"),
    e.CALL_UNKNOWN: _call_unknown,
    e.CALL_PARKED: _call_parked,
    e.BUDGET_BOUND: _budget_bound,
    e.BUDGET_DRAWN: _budget_drawn,
    e.BUDGET_RETURNED: _budget_returned,
    e.BUDGET_EXHAUSTED: _budget_exhausted,
    e.AUTHORITY_LOST: _authority_lost,
    **dict.fromkeys(e.ENDINGS, _ended),
}
# Every kind of entry that a run's stream can hold.
KINDS = (e.RUN_STARTED, *_CHANGES)
_BY_DRIVER = frozenset(_CHANGES) - e.BY_PEOPLE
