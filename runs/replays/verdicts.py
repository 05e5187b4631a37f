"""What can be said of a proposed call by its record alone: whether there is such a tool, and whether it can be read.

What grants, caps and people said is on the record, and is not asked again: they stand otherwise today.
"""

from __future__ import annotations

from typing import Any

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.state import CallState, RunState
from agentops.identifiers import text_of
from runs.changesets.depending import take_out
from runs.lookups.offering import may_read_on
from runs.memory.offering import names_offered
from runs.replays.prompts import is_declaring
from runs.versions import PLANNER, VersionSpec
from tools.calls import ToolSpec
from tools.schemas import validate_arguments

LET_THROUGH = frozenset((e.CALL_ALLOWED, e.CALL_GATED, e.CONFIRMATION_REQUESTED, e.CALL_STAGED))
ASSESSED = LET_THROUGH | {e.CALL_REFUSED}
INVALID, UNKNOWN = "invalid_arguments", "not_allow_listed"


def judge_again(
    state: RunState, version: VersionSpec, event: Event, arguments: Any
) -> tuple[str, str] | None:
    """Return what is recorded of a call's assessment and what it would be now, where the two differ.

    ``arguments`` are those that were proposed, as JSON.
    """
    call = state.call(event.facts["call"])
    spec = version.catalogue.get(call.tool)
    recorded = event.facts["code"] if event.kind == e.CALL_REFUSED else "let through"
    now = _find_code(state, version, call, arguments)
    if now is None:
        return None
    if now and recorded != now and not (now == INVALID and event.kind == e.CALL_REFUSED):
        return recorded, now
    if recorded == UNKNOWN and not now:
        return recorded, "there is such a tool"
    if recorded == INVALID and not now and spec is not None and not spec.resolvers:
        return recorded, "they are valid"
    return _compare_terms(event, spec) if event.kind in LET_THROUGH and spec else None


def _find_code(state: RunState, version: VersionSpec, call: CallState, arguments: Any) -> str | None:
    """Return the code of a refusal, an empty text where there is none, and None where nothing can be said."""
    if call.problem:
        return call.problem
    if is_declaring(state, version) or (call.tool == e.DECLARE_PLAN and version.plan == PLANNER):
        return None
    if call.tool in version.built_in or (call.tool == e.READ_RESULT and may_read_on(state, version)):
        return None
    # What may be noted or recalled is no matter of the record alone.
    if call.tool in names_offered(state, version):
        return None
    spec = version.catalogue.get(call.tool)
    if spec is None:
        return UNKNOWN
    said = take_out(spec, arguments) if state.proposes else arguments
    if not isinstance(said, dict):
        return None
    return INVALID if not spec.resolvers and validate_arguments(spec, said) else ""


def _compare_terms(event: Event, spec: ToolSpec) -> tuple[str, str] | None:
    """Compare of which version of the tool the call was, and what kind of effect that has."""
    recorded = [str(event.facts[name]) for name in ("tool", "tool_version", "effect")]
    now = [spec.name, text_of(spec.id), spec.effect]
    return None if recorded == now else (" ".join(recorded), " ".join(now))
