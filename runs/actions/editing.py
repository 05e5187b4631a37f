"""A call that a person has edited, or asked the agent back about: noting it in the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from agentops.engine import events as e
from agentops.engine.state import CallState
from approvals.history import Edit, read_question
from runs.actions.proposals import where_of
from runs.actions.refusals import give_caps_back
from runs.session import Session
from tools.assessment import digest_arguments
from tools.calls import ToolSpec

Arguments = Mapping[str, Any]  # Any: JSON


def note_edit(session: Session, call: CallState, edit: Edit) -> None:
    """Note that the call is another one now, which is to be assessed like any proposal."""
    spec, content = session.version.catalogue[call.tool], edit.content
    arguments, reason = dict(content["arguments"]), content["reason"]
    facts = {
        **where_of(session, call),
        "approval": str(edit.request),
        "verdict": "edited",
        "by": str(edit.editor),
        "args_digest": digest_arguments(spec, arguments),
        "edited": _name_edited(spec, content["before"], arguments),
        "size": len(json.dumps(arguments)) + len(reason),
    }
    told = {
        "calls": [{"call": call.number, "tool": call.tool, "arguments": arguments}],
        "before": content["before"],
        "by": content["by"],
        "reason": reason,
        "approval": str(edit.request),
    }
    session.note(e.CALL_EDITED, facts, told)
    session.lookups.resolved.pop((facts["step"], facts["call"]), None)  # of what it was before
    session.fresh.pop(call.number, None)


def _name_edited(spec: ToolSpec, before: Arguments, after: Arguments) -> list[str]:
    """Return which declared arguments differ; other names are anybody's words, which facts do not hold."""
    declared = spec.input_schema.get("properties", {})
    return [name for name in declared if (name, before.get(name)) != (name, after.get(name))]


def edited_from(session: Session, call: CallState) -> UUID | None:
    """Return the request that somebody edited into this call; None for one that was not edited, or tried since."""
    content = session.content_of(call.edited) if call.edited and not call.attempts else None
    return UUID(content["approval"]) if content else None


def note_question(session: Session, call: CallState, approval: UUID) -> None:
    """Note that a person asks before they decide: the call is not made, and the planner reads the question."""
    question, by = read_question(approval)
    facts = {**where_of(session, call), "approval": str(approval), "verdict": "asked", "size": len(question)}
    told = {"question": question, "by": by} if question else None
    session.note(e.CALL_ASKED_BACK, facts, told, give_caps_back(session, call))
