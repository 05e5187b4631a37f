"""What people do to a run's state."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.changes.marks import mark_entry
from agentops.engine.changes.staging import drop_stage
from agentops.engine.events import Event
from agentops.engine.loops import forget_proposals, note_success
from agentops.engine.state import UNREAD_LIMIT, CallStatus, RunState
from agentops.engine.tiers import expect_plan


def _message_received(state: RunState, facts: Facts, event: Event) -> RunState:
    phase = "ready" if state.phase == "answered" else state.phase
    heard = forget_proposals(drop_stage(state))._replace(unread=True, phase=phase, said_until=event.seq)
    return mark_entry(expect_plan(heard, "message"), event)


def _call_received(state: RunState, facts: Facts, event: Event) -> RunState:
    """A call of an agent outside; it is taken up in the order of arrival."""
    if not state.is_external or facts["step"] != state.step + len(state.inbox) + 1:
        raise ValueError("no call is awaited, or not this one")
    if len(state.inbox) >= UNREAD_LIMIT:
        raise ValueError("too many calls are unread")
    return state._replace(inbox=(*state.inbox, event.seq))


def _person_answered(state: RunState, facts: Facts, event: Event) -> RunState:
    call = state.call(facts["call"])
    if call.status != "asked" or facts["step"] != state.step_of(call.number):
        raise ValueError("nobody was asked this")
    answered = state.with_call(call._replace(status="succeeded", code="answered"))
    if event.kind == e.INPUT_RECEIVED:
        answered = answered._replace(said_until=event.seq)
    return mark_entry(expect_plan(forget_proposals(answered), "message")._replace(unread=True), event)


def _handover_closed(state: RunState, facts: Facts, event: Event) -> RunState:
    """The person to whom it was handed over has ended the conversation: nobody goes on with it."""
    answered = _person_answered(state, facts, event)
    return answered._replace(closed=event.seq)


def _outcome_settled(state: RunState, facts: Facts, event: Event) -> RunState:
    call = state.call(facts["call"])
    # Once the run has ended nobody else finds out what became of a call in doubt.
    may_settle = call in state.unsettled_outcomes if state.has_ended else call.status == "parked"
    if not may_settle or facts["step"] != state.step_of(call.number):
        raise ValueError("the call is not parked")
    status: CallStatus = "succeeded" if facts["happened"] else "failed"
    settled = state.with_call(call._replace(status=status, code="settled_by_person"))
    return mark_entry(note_success(settled, call) if facts["happened"] else settled, event)


def _call_vetoed(state: RunState, facts: Facts, event: Event) -> RunState:
    call = state.call(facts["call"])
    if call.status != "held" or facts["step"] != state.step_of(call.number):
        raise ValueError("the call is not held")
    return mark_entry(state.with_call(call._replace(status="refused", code="vetoed", retry_at=None)), event)


def _paused(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(paused=True)


def _unpaused(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(paused=False)


def _cancel_requested(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(cancelling=True)


def _killed(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(killed=True)


CHANGES: dict[str, Change] = {
    e.CALL_RECEIVED: _call_received,
    e.MESSAGE_RECEIVED: _message_received,
    e.INPUT_RECEIVED: _person_answered,
    e.HANDOVER_ANSWERED: _person_answered,
    e.HANDOVER_CLOSED: _handover_closed,
    e.OUTCOME_SETTLED: _outcome_settled,
    e.CALL_VETOED: _call_vetoed,
    e.RUN_PAUSED: _paused,
    e.RUN_UNPAUSED: _unpaused,
    e.CANCEL_REQUESTED: _cancel_requested,
    e.RUN_KILLED: _killed,
}
