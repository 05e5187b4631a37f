"""The tools with which a run remembers and recalls: offered where its version has a memory."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.state import RunState
from runs.models import EXTERNAL
from runs.planner.messages import ToolSchema
from runs.versions import VersionSpec

SINCE_ENGINE = 13
LONGEST = 1_000  # characters of a note
LONGEST_QUERY = 200
_TOOLS = (
    ToolSchema(
        e.REMEMBER,
        "Note something for your later runs for this user: what they prefer, what was agreed, what is still open. "
        "Short, and no secrets.",
        {
            "type": "object",
            "properties": {"text": {"type": "string", "minLength": 1, "maxLength": LONGEST}},
            "required": ["text"],
            "additionalProperties": False,
        },
    ),
    ToolSchema(
        e.RECALL,
        "Look for notes of your earlier runs for this user.",
        {
            "type": "object",
            "properties": {"query": {"type": "string", "minLength": 1, "maxLength": LONGEST_QUERY}},
            "required": ["query"],
            "additionalProperties": False,
        },
    ),
)


def has_memory(state: RunState, version: VersionSpec) -> bool:
    """Return whether a run may remember and recall; one that goes by older rules goes on without."""
    return bool(version.memory) and version.planner != EXTERNAL and state.engine >= SINCE_ENGINE


def offer_memory(state: RunState, version: VersionSpec) -> tuple[ToolSchema, ...]:
    """Return the tools of the memory; a tool of such a name which the team had before stays theirs."""
    if not has_memory(state, version):
        return ()
    return tuple(each for each in _TOOLS if each.name not in version.catalogue)


def names_offered(state: RunState, version: VersionSpec) -> frozenset[str]:
    """Return the names of the memory's tools that a run has."""
    return frozenset(each.name for each in offer_memory(state, version))
