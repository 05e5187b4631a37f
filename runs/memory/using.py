"""A planner's calls of the memory's tools, by name."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.state import CallState
from runs.memory.reading import recall
from runs.memory.writing import remember
from runs.session import Session


def use_memory(session: Session, call: CallState) -> None:
    """Answer a call of ``remember`` or ``recall``; nobody outside is asked."""
    if call.tool == e.REMEMBER:
        remember(session, call)
    else:
        recall(session, call)
