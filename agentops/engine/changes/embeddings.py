"""What asking for a vector of what is looked for, and its answer, do to a run's state."""

from __future__ import annotations

from decimal import Decimal

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.changes.calls import pick_call
from agentops.engine.changes.planner import settle_model
from agentops.engine.events import Event
from agentops.engine.state import RunState


def _embedding_requested(state: RunState, facts: Facts, event: Event) -> RunState:
    """Reserve what it may cost: for a call that looks for notes, or for what is recalled before the first turn."""
    if state.phase not in ("ready", "calling"):
        raise ValueError("nothing is looked for now")
    if "for_call" in facts:
        pick_call(state, {"step": facts["step"], "call": facts["for_call"]}, "proposed")
    elif state.has_recalled or state.open_calls:
        raise ValueError("what was to be recalled has been")
    return state._replace(
        phase="embedding",
        reserved_tokens=facts["reserved_tokens"],
        reserved_usd=Decimal(facts["reserved_usd"]),
    )


def _embedding_settled(state: RunState, facts: Facts, event: Event) -> RunState:
    """The run goes on where it was; what is recalled is an entry of its own."""
    if state.phase != "embedding":
        raise ValueError("no vector is awaited")
    phase = "calling" if state.open_calls else "ready"
    return settle_model(state, facts)._replace(phase=phase)


CHANGES: dict[str, Change] = {
    e.EMBEDDING_REQUESTED: _embedding_requested,
    e.EMBEDDING_MADE: _embedding_settled,
    e.EMBEDDING_FAILED: _embedding_settled,
}
