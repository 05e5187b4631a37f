"""What the model proposed, as it was recorded, and the assessment of it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from agentops.engine.state import CallState
from agentops.identifiers import text_of
from runs.actions.meaning import meant_of, undone_by
from runs.authority import find_ended_parent
from runs.changesets.depending import take_out
from runs.changesets.missing import find_missing
from runs.decided import find_undecided
from runs.gateway.delegated import is_taken_back
from runs.lookups.calling import make_call
from runs.lookups.resolving import Unresolved, facts_of, read_kept, resolve_arguments
from runs.session import Session, utc_now
from tools.assessment import Assessment, assess, refuse
from tools.bindings import CODE
from tools.calls import Call, ToolSpec
from tools.delegation import ADAPTER, read_terms
from tools.standing import Answer

_GONE: dict[str, Any] = {"arguments": None, "problem_detail": "the proposal was erased"}


def key_of(session: Session, call: CallState) -> str:
    """Return the idempotency key of a call: ``run:step:tool:call``; of a staged one, of the run that is to make it."""
    spec = session.version.catalogue.get(call.tool)
    if session.state.proposes and spec is not None and spec.effect != "read":
        return f"{session.change_set}:1:{call.tool}:{session.state.staged + 1}"
    return f"{text_of(session.context.run_id)}:{session.state.step_of(call.number)}:{call.tool}:{call.number}"


def proposal(session: Session, number: int) -> dict[str, Any]:
    """Return the recorded proposal of a call of the current step: the model's, or what a person made of it."""
    if edited := session.state.call(number).edited:
        return _find_call(session.content_of(edited), number)
    step = session.state.step_of(number)
    for mark in reversed(session.state.marks):
        if mark.step == step:
            found = _find_call(session.content_of(mark.seq), number)
            if found is not _GONE:
                return found
    return _GONE


def _find_call(content: Any, number: int) -> dict[str, Any]:  # Any: JSON
    calls = content.get("calls", ()) if isinstance(content, dict) else ()
    return next((call for call in calls if call["call"] == number), _GONE)


def said_of(session: Session, call: CallState) -> Any:  # Any: JSON
    """Return the arguments of the proposal itself, without what it says about other items of a change set."""
    said, spec = proposal(session, call.number)["arguments"], session.version.catalogue.get(call.tool)
    return take_out(spec, said) if session.state.proposes and spec is not None else said


def read_arguments(session: Session, call: CallState, spec: ToolSpec) -> Any:  # Any: JSON
    """Return the arguments of a call that went out: those proposed, with what was looked up for it in its place."""
    said = proposal(session, call.number)["arguments"]
    if not spec.resolvers or not isinstance(said, dict):
        return said
    kept = read_kept(session, call.number)
    return kept.arguments if kept else None


def problem_detail(session: Session, number: int) -> str:
    """Return what kept the proposal from being read."""
    return str(proposal(session, number).get("problem_detail") or "the call could not be read")


def where_of(session: Session, call: CallState) -> dict[str, Any]:
    """Return the facts that place a call in its run."""
    return {"step": session.state.step_of(call.number), "call": call.number}


def call_of(session: Session, call: CallState, spec: ToolSpec, arguments: Any) -> Call:  # Any: JSON
    """Return a call as adapters take it; arguments that were erased are none."""
    given = arguments if isinstance(arguments, dict) else {}
    made = make_call(session, spec, given, key_of(session, call), call.attempts + 1)
    made = replace(made, remote=call.remote) if call.remote else made
    undone = undone_by(session, call)
    return replace(made, undoes=undone.key) if undone else made


def assess_proposal(session: Session, call: CallState, spec: ToolSpec) -> Assessment:
    """Assess the recorded proposal of a call, as of now; the commit of the attempt compares what that rests on."""
    said = said_of(session, call)
    planned = call_of(session, call, spec, said)
    if not isinstance(said, dict):
        return refuse(planned, "arguments_erased", "what was proposed has been erased", "run")
    if find_ended_parent(session):
        return refuse(planned, "parent_ended", "the run on whose behalf this one acts has ended", "parent")
    if session.state.is_external and is_taken_back(session.context.run_id, call.number):
        return refuse(planned, "delegation_revoked", "the authority by which it came was taken back", "user")
    if spec.resolvers:
        found = resolve_arguments(session, planned, call.number)
        if isinstance(found, Unresolved):
            return refuse(planned, found.code, found.detail, "tool")
        planned = replace(planned, arguments=found.arguments)
    arguments = planned.arguments
    if missing := find_missing(session, call.number):
        return refuse(planned, *missing, "run")
    if undecided := find_undecided(session, spec, arguments):
        return refuse(planned, CODE, undecided, "tool")
    # A key that nobody has used is looked for when the attempt is written; one of ours has to be looked up.
    is_fresh = spec.effect == "read" or (not call.attempts and not spec.dedupe_on and not planned.undoes)
    known = session.standings.get(spec.tool_id) if is_fresh else None
    assessment = _assess(session, call, planned, known)
    # An old look may let a call go on, never refuse it.
    if known and (assessment.verdict != "ALLOW" or assessment.forced_open):
        assessment = _assess(session, call, planned, None)
    if (answer := assessment.answer) and answer.may_be_kept:
        session.standings[spec.tool_id] = answer
    return assessment


def _assess(session: Session, call: CallState, planned: Call, known: Answer | None) -> Assessment:
    kept = session.lookups.resolved.get((session.state.step_of(call.number), call.number))
    return assess(
        planned,
        by=session.authority,
        now=utc_now(),
        held={window: Decimal(amount) for window, amount in call.claims},
        known=known,
        meant=lambda: meant_of(session, call, planned.spec),
        said=kept.said if kept else None,
    )


def reasons_of(assessment: Assessment) -> list[dict[str, str]]:
    """Return the reasons of an assessment as facts."""
    return [{"source": r.source, "code": r.code, "detail": r.detail} for r in assessment.decision.reasons]


def join_of(spec: ToolSpec) -> dict[str, Any]:
    """Return, as a fact, with what a task given to another agent is joined; nothing where each is by itself."""
    if spec.adapter != ADAPTER:
        return {}
    join = read_terms(spec.name, spec.config).join
    return {"join": list(join)} if join[0] else {}


def terms_of(session: Session, call: CallState, assessment: Assessment) -> dict[str, Any]:
    """Return the facts of an assessed call: the terms that it runs under, and why."""
    spec = assessment.call.spec
    return {
        **where_of(session, call),
        "tool": spec.name,
        "tool_version": text_of(spec.id),
        "effect": spec.effect,
        "idempotency": spec.idempotency,
        "max_attempts": spec.max_attempts,
        "backoff_base_ms": round(spec.backoff_base_s * 1000),
        "backoff_cap_ms": round(spec.backoff_cap_s * 1000),
        "on_unknown": spec.on_unknown,
        "on_breaker_open": spec.on_breaker_open,
        "decision": assessment.verdict,
        "reasons": reasons_of(assessment),
        "grant": str(assessment.grant_id),
        "digest": assessment.digest,
        **join_of(spec),
        **facts_of(session, call.number),
    }
