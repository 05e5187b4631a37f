"""One lookup: a call of a tool that only reads, with the same policy, permit, caps and breaker as any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from agentops.database import borrowed
from agentops.errors import ApprovalRequired, PolicyDenied
from agentops.identifiers import new_id, text_of
from approvals import gate
from runs.recalls import Right, watch
from runs.session import Session, utc_now
from runs.slots import waiting_outside
from runs.sources import read_sources
from runs.telemetry.places import TOOL
from tools import execution, mirror
from tools.assessment import Assessment, assess
from tools.calls import Call, ToolSpec
from tools.caps import reserve_caps
from tools.catalogue import read_latest
from tools.execution import execute, give_back
from tools.permits import Permit
from tools.provenance.judging import Meant

Json = Any  # arguments and answers


@dataclass(frozen=True, slots=True)
class Answered:
    """What a lookup has answered; ``permit`` is what the trace may show of the right to it."""

    value: Json
    permit: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why there is no answer, in words for the model."""

    detail: str


def make_call(session: Session, spec: ToolSpec, arguments: dict[str, Json], key: str, attempt: int) -> Call:
    """Return a call of this run, for its principal, as adapters take it; the key and the attempt name its span."""
    context = session.context
    return Call(
        spec=spec,
        arguments=arguments,
        key=key,
        attempt=attempt,
        run_id=context.run_id,
        identity_id=context.identity_id,
        identity_name=context.identity_name,
        principal_issuer=context.issuer,
        principal_subject=context.subject,
        traceparent=context.traceparent_of(TOOL, key, attempt),
        tracestate=context.trace_state,
        principal_proof=context.proof,
        acts_for=tuple(link.identity_id for link in session.authority.line),
    )


def look_up(session: Session, tool: str, arguments: dict[str, Json], key: str) -> Answered | Unanswered:
    """Ask a tool of the run's catalogue. It has no effect, so nothing is written before; it is told afterwards."""
    spec = _find_tool(session, tool)
    if spec is None or spec.effect != "read":
        return Unanswered(f"{tool} is not among the tools of this agent that only read")
    # Asked again it is another question, with a permit of its own.
    assessment = _assess(session, make_call(session, spec, arguments, f"{key}:{text_of(new_id())}", 1))
    try:
        permit = gate.require(assessment, approval_id=None, now=utc_now())
    except PolicyDenied as error:
        return Unanswered(f"{tool} may not be asked: {error.code}")
    except ApprovalRequired:
        return Unanswered(f"{tool} may not be asked without a person")
    return _ask(session, assessment, permit) if _reserve(assessment) else Unanswered(f"{tool}: cap reached")


def _find_tool(session: Session, name: str) -> ToolSpec | None:
    """Return a tool of the run's catalogue. That of an undo holds what undoes alone: it asks what is in service."""
    if session.undo is None or name in session.version.catalogue:
        return session.version.catalogue.get(name)
    return read_latest(session.context.team_id, [name]).get(name)


def _assess(session: Session, call: Call) -> Assessment:
    spec = call.spec

    def meant() -> Meant | None:
        """A lookup is not the planner's step, so no plan holds it; what it carries is looked at all the same."""
        return Meant(read_sources(session).sources) if spec.declared.arguments else None

    return assess(call, by=session.authority, now=utc_now(), meant=meant)


def _reserve(assessment: Assessment) -> bool:
    if not assessment.claims:
        return True
    call, reserved = assessment.call, False
    with borrowed() as connection, connection.transaction() as transaction, connection.cursor() as cursor:
        reserved = reserve_caps(cursor, call.identity_id, call.spec.tool_id, assessment.claims)
        if not reserved:
            raise psycopg.Rollback(transaction)
    return reserved


def _ask(session: Session, assessment: Assessment, permit: Permit) -> Answered | Unanswered:
    call = assessment.call
    spec = call.spec
    admission = execution.admit(spec, forced_open=assessment.forced_open)
    if not admission.allowed:
        return Unanswered(f"{spec.name} is out of order")
    try:
        not_after = session.confirm_lease()
    except BaseException:
        give_back(spec, admission)
        raise
    right = Right(call.run_id, call.identity_id, spec.tool_id, session.authority)
    with waiting_outside(), watch().over(right) as recall:
        outcome, moved = execute(assessment, permit, admission, not_after=not_after, recall=recall)
    session.read_clock()
    if moved is not None:
        mirror.show_transition(spec, moved)
    if outcome.status != "succeeded":
        return Unanswered(f"{spec.name} did not answer: {outcome.code}")
    return Answered(outcome.value, permit.reference, outcome.etag)
