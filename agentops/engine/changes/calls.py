"""What becomes of a step's calls: assessed, approved, attempted, ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.changes.marks import mark_entry
from agentops.engine.events import Event
from agentops.engine.loops import forget_proposals, note_success
from agentops.engine.state import CallState, CallStatus, Join, Limits, RunState, Spent

# Where a call stands that may go out.
_BEFORE = ("allowed", "confirmed", "approved", "held", "retrying", "deferred")


def pick_call(state: RunState, facts: Facts, *statuses: str) -> CallState:
    """Return the call of the current step that an event is about; raises ValueError unless it stands like this."""
    if state.phase != "calling" or facts["step"] != state.step_of(facts["call"]):
        raise ValueError("not the current step")
    call = state.call(facts["call"])
    if call.status not in statuses:
        raise ValueError(f"call {call.number} is {call.status}")
    return call


def _call_allowed(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "proposed", "confirmed", "approved", "allowed", "deferred", "waiting")
    allowed = _with_terms(call, facts, "allowed")
    return state.with_call(_hold(allowed, facts["held_until"], event) if "held_until" in facts else allowed)


def _call_gated(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "proposed", *_BEFORE)
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
        held_since=None,
        join=Join(*facts["join"]) if "join" in facts else Join(),
    )


def _call_refused(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "proposed", *_BEFORE, "waiting", "confirming")
    return mark_entry(
        state.with_call(call._replace(status="refused", code=facts["code"], retry_at=None)), event
    )


def _call_held(state: RunState, facts: Facts, event: Event) -> RunState:
    """A call that may go out waits, for people to veto it; told a later time, it has waited since the first."""
    call = pick_call(state, facts, "allowed", "confirmed", "approved", "held", "deferred")
    return state.with_call(_hold(call, facts["held_until"], event))


def _hold(call: CallState, until: str, event: Event) -> CallState:
    since = call.held_since or event.at
    return call._replace(status="held", retry_at=datetime.fromisoformat(until), held_since=since)


def _call_asked(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "proposed")
    return state.with_call(call._replace(status="asked", code=facts["action"]))


def _approval_granted(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "waiting")
    return state.with_call(call._replace(status="approved"))


def _approval_refused(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "waiting")
    return mark_entry(state.with_call(call._replace(status="refused", code=facts["code"])), event)


def _confirmation_requested(state: RunState, facts: Facts, event: Event) -> RunState:
    """The end user is asked; what people had approved was another call, or this one in another state."""
    call = pick_call(state, facts, "proposed", *_BEFORE)
    asked = _with_terms(call, facts, "confirming")._replace(
        confirmation=facts["confirmation"], approval="", expires_at=facts["expires_at"]
    )
    return state.with_call(asked)


def _confirmation_given(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "confirming")
    return state.with_call(call._replace(status="confirmed", expires_at=""))


def _confirmation_refused(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "confirming")
    return mark_entry(state.with_call(call._replace(status="refused", code=facts["code"])), event)


def _call_edited(state: RunState, facts: Facts, event: Event) -> RunState:
    """A person wants it with other arguments: it is a proposal again, and whatever held for it is asked anew."""
    call = pick_call(state, facts, "waiting")
    if call.attempts:
        raise ValueError("it was tried with other arguments")
    edited = call._replace(
        status="proposed",
        args_digest=facts["args_digest"],
        edited=event.seq,
        approval="",
        confirmation="",
        expires_at="",
    )
    return mark_entry(forget_proposals(state).with_call(edited), event)


def _call_asked_back(state: RunState, facts: Facts, event: Event) -> RunState:
    """A person asks before they decide: this call is not made, and the planner may answer and propose it again."""
    call = pick_call(state, facts, "waiting")
    asked = forget_proposals(state).with_call(call._replace(status="refused", code="asked_back"))
    return mark_entry(asked, event)


def _attempt_started(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, *_BEFORE)
    if state.proposes and call.effect != "read":
        raise ValueError("a run that proposes has no effects of its own")
    if facts["attempt"] != call.attempts + 1:
        raise ValueError(f"attempt {facts['attempt']} cannot follow {call.attempts}")
    claims = call.claims + tuple((window, amount) for window, amount in facts["claims"])
    started = call._replace(status="started", attempts=facts["attempt"], retry_at=None, claims=claims)
    return _count_planned(state, call).with_call(started)


def _call_delegated(state: RunState, facts: Facts, event: Event) -> RunState:
    """A child run was started with the attempt: the call waits for it, and a share of the limits is the child's."""
    call, share = pick_call(state, facts, "started"), facts["share"]
    lent = Limits(share["steps"], share["tokens"], Decimal(share["usd"]), share["seconds"])
    return state.with_call(call._replace(status="delegated", child=facts["child"], share=lent))


def _called_off(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "delegated")
    return state.with_call(call._replace(called_off=True))


def _call_awaited(state: RunState, facts: Facts, event: Event) -> RunState:
    """An agent elsewhere works on the task: it is asked again when that is due, and sent nothing more."""
    call = pick_call(state, facts, "started", "awaited")
    retry_at = event.at + timedelta(milliseconds=facts["delay_ms"])
    changed = call._replace(status="awaited", code=facts["code"], remote=facts["remote"], retry_at=retry_at)
    return state.with_call(changed._replace(polls=call.polls + 1, in_doubt=call.effect != "read"))


def _settle_share(state: RunState, call: CallState, used: Facts) -> RunState:
    """Charge what a child has used; of children side by side the time of the one that took longest counts."""
    longest = max((each.child_ms for each in state.calls), default=0)
    worked_ms = max(0, used["worked_ms"] - longest)
    charged = Spent(used["steps"], used["tokens"], Decimal(used["usd"]), worked_ms)
    ended = call._replace(child_ms=used["worked_ms"], share=None)
    return state._replace(passed_on=state.passed_on + charged).with_call(ended)


def _count_planned(state: RunState, call: CallState) -> RunState:
    """Count a call against the plan with its first attempt: tried again it is the same call."""
    if call.attempts or not state.planned(call.tool):
        return state
    plan = [each._replace(used=each.used + (each.tool == call.tool)) for each in state.plan]
    return state._replace(plan=tuple(plan))


def _attempt_failed(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, "started", "unknown")
    retry_at = event.at + timedelta(milliseconds=facts["delay_ms"])
    # A read-back that found nothing has settled the doubt about earlier attempts.
    in_doubt = call.in_doubt and not facts.get("read_back", False)
    return state.with_call(
        call._replace(status="retrying", code=facts["code"], retry_at=retry_at, in_doubt=in_doubt)
    )


def _call_deferred(state: RunState, facts: Facts, event: Event) -> RunState:
    call = pick_call(state, facts, *_BEFORE)
    retry_at = datetime.fromisoformat(facts["retry_at"])
    return state.with_call(call._replace(status="deferred", code=facts["code"], retry_at=retry_at))


def _call_ended(status: CallStatus) -> Change:
    def change(state: RunState, facts: Facts, event: Event) -> RunState:
        # A replayed outcome was recorded under this key before, a recalled one in another run: nothing is attempted.
        unattempted = facts.get("replayed") or "recalled" in facts
        call = pick_call(
            state, facts, *(_BEFORE if unattempted else ("started", "unknown", "delegated", "awaited"))
        )
        if "recalled" in facts:  # in that run it was
            state = _count_planned(state, call)
        if call.status == "delegated":
            state = _settle_share(state, call, facts["used"])
            call = state.call(call.number)
        ended = state.with_call(call._replace(status=status, code=facts["code"], retry_at=None))
        if status == "succeeded" and not facts.get("replayed"):
            ended = note_success(ended, call)
        if "length" in facts:
            ended = ended._replace(has_long_result=True)
        return mark_entry(ended, event)

    return change


def _result_read(state: RunState, facts: Facts, event: Event) -> RunState:
    """The planner was shown more of a result that it has; nothing outside was asked."""
    call = pick_call(state, facts, "proposed")._replace(status="succeeded", code="read", effect="read")
    return mark_entry(note_success(state.with_call(call), call), event)


def _call_unknown(state: RunState, facts: Facts, event: Event) -> RunState:
    # A call in doubt that may not be repeated any more was retrying or deferred.
    call = pick_call(
        state,
        facts,
        "started",
        "unknown",
        "awaited",
        *(("retrying", "deferred") if facts["then"] == "park" else ()),
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
    call = pick_call(state, facts, "parking")
    return state.with_call(call._replace(status="parked"))


CHANGES: dict[str, Change] = {
    e.CALL_ALLOWED: _call_allowed,
    e.CALL_GATED: _call_gated,
    e.CALL_REFUSED: _call_refused,
    e.CALL_HELD: _call_held,
    e.CALL_ASKED: _call_asked,
    e.CONFIRMATION_REQUESTED: _confirmation_requested,
    e.CONFIRMATION_GIVEN: _confirmation_given,
    e.CONFIRMATION_REFUSED: _confirmation_refused,
    e.APPROVAL_GRANTED: _approval_granted,
    e.APPROVAL_REFUSED: _approval_refused,
    e.CALL_EDITED: _call_edited,
    e.CALL_ASKED_BACK: _call_asked_back,
    e.ATTEMPT_STARTED: _attempt_started,
    e.CALL_DELEGATED: _call_delegated,
    e.CALLED_OFF: _called_off,
    e.CALL_AWAITED: _call_awaited,
    e.ATTEMPT_FAILED: _attempt_failed,
    e.CALL_DEFERRED: _call_deferred,
    e.CALL_SUCCEEDED: _call_ended("succeeded"),
    e.CALL_FAILED: _call_ended("failed"),
    e.CALL_UNKNOWN: _call_unknown,
    e.CALL_PARKED: _call_parked,
    e.RESULT_READ: _result_read,
}
