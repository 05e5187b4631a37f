"""What recalling and remembering do to a run's state."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.changes.calls import pick_call
from agentops.engine.changes.marks import mark_entry
from agentops.engine.events import Event
from agentops.engine.loops import note_success
from agentops.engine.state import RunState


def _memory_recalled(state: RunState, facts: Facts, event: Event) -> RunState:
    """The run has looked by itself, once and before its first turn, or the planner has."""
    if "call" in facts:
        return _answered(state, facts, event, "recalled")
    if state.has_recalled or state.phase not in ("ready", "calling") or state.open_calls:
        raise ValueError("nothing is to be recalled now")
    recalled = state._replace(has_recalled=True)
    return mark_entry(recalled, event) if facts["entries"] else recalled


def _memory_written(state: RunState, facts: Facts, event: Event) -> RunState:
    return _answered(state, facts, event, "remembered")


def _answered(state: RunState, facts: Facts, event: Event, code: str) -> RunState:
    """Nothing outside has changed: like a read, it ends no circle."""
    call = pick_call(state, facts, "proposed")._replace(status="succeeded", code=code, effect="read")
    return mark_entry(note_success(state.with_call(call), call), event)


CHANGES: dict[str, Change] = {
    e.MEMORY_RECALLED: _memory_recalled,
    e.MEMORY_WRITTEN: _memory_written,
}
