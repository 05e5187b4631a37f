"""Whose the values are that a person is shown who decides about a call: of its arguments, and of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentops.engine.state import CallState
from runs.actions.meaning import undone_by
from runs.session import Session
from runs.sources import read_sources
from tools.assessment import Assessment
from tools.provenance.marks import mark_arguments, mark_result, sources_of_result


def mark_call(session: Session, call: CallState, assessment: Assessment) -> dict[str, Any]:
    """Return where each argument comes from; nothing where no planner chose them (an undo, what people accepted)."""
    if session.applying is not None or undone_by(session, call):
        return {}
    bound = assessment.call
    found = session.lookups.resolved.get((session.state.step_of(call.number), call.number))
    resolved, sources = found.provenance if found else (), read_sources(session).sources
    return {"marks": mark_arguments(bound.spec.declared, bound.arguments, sources, resolved)}


def mark_answer(session: Session, tool: str, facts: Mapping[str, Any], value: Any) -> dict[str, Any]:
    """Return whose a tool's answer is, the worst first, and of each value where it is not all of one source.

    A tool that the version does not know any more has no labels: everything of it is a stranger's.
    """
    spec, tainted = session.version.catalogue.get(tool), bool(facts.get("tainted"))
    rules = spec.declared.results if spec else ()
    found = sources_of_result(value, rules, tainted=tainted)
    mixed = {"marks": mark_result(value, rules, tainted=tainted)} if len(found) > 1 else {}
    return {"sources": found, **mixed}
