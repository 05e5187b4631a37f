"""Whether the user meant a call: what the run has of a plan, and of labelled sources, that bears on it."""

from __future__ import annotations

from collections.abc import Mapping

from agentops.engine.state import CallState
from runs.session import Session
from runs.sources import read_sources
from runs.undoing.plans import ToUndo
from runs.versions import PLANNER
from tools.calls import ToolSpec
from tools.provenance.judging import Meant
from tools.provenance.plans import Planned, derive_all, find_deviation
from tools.provenance.sources import Sources
from tools.provenance.wording import is_near

_NONE = Sources()


def meant_of(session: Session, call: CallState, spec: ToolSpec) -> Meant | None:
    """Return what bears on whether the user meant the call; None where neither plan nor provenance is asked for."""
    if undone := undone_by(session, call):
        return Meant(_NONE, undoes=undone.key)
    if session.applying is not None:
        return Meant(_NONE, accepted=str(session.applying.run))
    planned, traced = bool(session.version.plan), bool(spec.declared.arguments)
    if not planned and not traced:
        return None
    sources = read_sources(session).sources if traced else _NONE
    plan = _plan_for(session, spec.name) if planned else None
    used = _used_before(session, call)
    doubts = planned and not (
        session.state.planned(spec.name) and not plan
    )  # what was erased cannot be doubted
    found = session.lookups.resolved.get((session.state.step_of(call.number), call.number))
    return Meant(
        sources, plan, used, session.version.off_plan,
        found.provenance if found else (), found.said if found else None,
        is_near=doubts and _is_near(session, spec), is_asked_for=doubts and _is_asked_for(session, spec, used),
    )  # fmt: skip


def _is_near(session: Session, spec: ToolSpec) -> bool:
    """Return whether the user may have asked for the tool in words that nobody listed: then people may know.

    Where a planner declares, it has to have declared the tool, too.
    """
    if session.version.plan == PLANNER and session.state.planned(spec.name) is None:
        return False
    return any(is_near_to(text, spec) for _, text in read_sources(session).words)


def is_near_to(text: str, spec: ToolSpec) -> bool:
    """Return whether a user's text has to do with a tool that lists no words."""
    return not spec.declared.wording.phrases and is_near(text, spec.name, spec.description)


def _is_asked_for(session: Session, spec: ToolSpec, used: int) -> bool:
    """Return whether the user's words allow a call whose tool the planner did not declare: it may have forgotten.

    An irreversible one is out of the question.
    """
    if session.version.plan != PLANNER or spec.effect == "irreversible":
        return False
    texts = [text for _, text in read_sources(session).words]
    return not find_deviation(derive_all(texts, session.version.candidates), spec.name, used, {})


def undone_by(session: Session, call: CallState) -> ToUndo | None:
    """Return what the call undoes, by the plan of an undo; None in other runs."""
    return session.undo.of_step(session.state.step_of(call.number)) if session.undo else None


def _plan_for(session: Session, tool: str) -> Mapping[str, Planned]:
    """Return the tool's place in the plan, or nothing; where what its calls must carry was erased, nothing may go."""
    found = session.state.planned(tool)
    content = session.content_of(found.seq) if found and found.seq else {}
    if found is None or content is None:
        return {}
    return {tool: Planned(found.at_most, content.get("arguments", {}).get(tool, {}))}


def _used_before(session: Session, call: CallState) -> int:
    """Return how many calls of the tool came before: those that went out, and this step's that may yet."""
    planned = session.state.planned(call.tool)
    of_step = [each for each in session.state.calls if each.tool == call.tool and not each.problem]
    waiting = [
        each for each in of_step if each.number < call.number and not each.settled and not each.attempts
    ]
    own = 1 if call.attempts else 0
    return (planned.used if planned else 0) + len(waiting) - own
