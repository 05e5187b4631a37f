"""How a run comes to be worked on that people will have to review."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.events import Event
from agentops.engine.state import RunState


def _held_back(state: RunState, facts: Facts, event: Event) -> RunState:
    if state.admission != "to_ask":
        raise ValueError("the run does not ask to be admitted")
    return state._replace(admission="held_back")


def _admitted(state: RunState, facts: Facts, event: Event) -> RunState:
    if not state.admission:
        raise ValueError("the run was admitted already")
    return state._replace(admission="")


CHANGES: dict[str, Change] = {e.RUN_HELD_BACK: _held_back, e.RUN_ADMITTED: _admitted}
