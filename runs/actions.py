"""The calls of a step: assess, require, execute. Decision before effect: every attempt is committed first."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from agentops.engine import events as e
from agentops.engine.breaker import Admission, Transition
from agentops.engine.events import BUILT_IN_TOOLS
from agentops.engine.retry import GiveUp, Park, ReadBack, Retry, decide_retry
from agentops.engine.state import CallState
from agentops.errors import ApprovalRequired, PolicyDenied, StateConflict
from agentops.ledger.store import Cursor
from approvals import gate
from approvals.services import Subject, request_approval
from runs import evidence
from runs.handovers import open_handover
from runs.session import Guard, GuardRefused, Session, utc_now
from runs.slots import waiting_outside
from runs.turns import new_traceparent
from tools import execution, mirror
from tools.assessment import Assessment, assess, refuse
from tools.calls import Call, ToolSpec
from tools.caps import release_caps, reserve_caps
from tools.dedupe import is_first_of_its_kind
from tools.execution import execute, give_back
from tools.outcomes import Outcome, Status
from tools.permits import Permit

WAKE_TASK = "runs.drive"


@dataclass(frozen=True, slots=True)
class Ready:
    """A call that may go out now: assessed, permitted, admitted by its breaker."""

    number: int
    assessment: Assessment
    permit: Permit
    admission: Admission
    told: bool  # the reasons of this very assessment are in the entry before


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=32, thread_name_prefix="reads")


# --- assessing ------------------------------------------------------------------------------------------


def assess_calls(session: Session, numbers: Sequence[int]) -> None:
    """Note for each proposed call whether it may run, waits for people, or is refused."""
    session.one_by_one = False
    for number in numbers:
        call = session.state.call(number)
        spec = session.version.catalogue.get(call.tool)
        if call.problem:
            _note_refused(session, call, call.problem, _problem_detail(session, number))
        elif call.tool in session.version.built_in:
            _note_asked(session, call)
        elif spec is None:
            known = ", ".join(session.version.catalogue)
            _note_refused(
                session, call, "not_allow_listed", f"there is no tool {call.tool}; there are: {known}"
            )
        else:
            _assess_one(session, call, spec)


def _assess_one(session: Session, call: CallState, spec: ToolSpec) -> None:
    assessment = _assess(session, call, spec)
    if assessment.verdict == "DENY":
        _note_denied(session, call, assessment)
    elif assessment.verdict == "ALLOW":
        session.note(e.CALL_ALLOWED, _terms(session, call, assessment))
        session.fresh[call.number] = assessment
    else:
        ask_people(session, call, assessment)


def _assess(session: Session, call: CallState, spec: ToolSpec) -> Assessment:
    context = session.context
    arguments = proposal(session, call.number)["arguments"]
    planned = Call(
        spec=spec,
        arguments=arguments if isinstance(arguments, dict) else {},
        key=key_of(session, call),
        attempt=call.attempts + 1,
        run_id=context.run_id,
        identity_id=context.identity_id,
        identity_name=context.identity_name,
        principal_issuer=context.issuer,
        principal_subject=context.subject,
        traceparent=new_traceparent(context.trace_id),
    )
    if not isinstance(arguments, dict):
        return refuse(planned, "arguments_erased", "what was proposed has been erased", "run")
    held = {window: Decimal(amount) for window, amount in call.claims}
    return assess(planned, application_id=context.application_id, now=utc_now(), held=held)


def key_of(session: Session, call: CallState) -> str:
    """Return the idempotency key of a call: ``run:step:tool:call``."""
    return f"{session.context.run_id}:{session.state.step}:{call.tool}:{call.number}"


def proposal(session: Session, number: int) -> dict[str, Any]:
    """Return the recorded proposal of a call of the current step, as the model made it."""
    for mark in reversed(session.state.marks):
        if mark.step == session.state.step:
            content = session.content_of(mark.seq) or {}
            found = [call for call in content.get("calls", ()) if call["call"] == number]
            if found:
                recorded: dict[str, Any] = found[0]
                return recorded
    return {"arguments": None, "problem_detail": "the proposal was erased"}


def _problem_detail(session: Session, number: int) -> str:
    return str(proposal(session, number).get("problem_detail") or "the call could not be read")


def _where(session: Session, call: CallState) -> dict[str, Any]:
    return {"step": session.state.step, "call": call.number}


def _reasons(assessment: Assessment) -> list[dict[str, str]]:
    return [{"source": r.source, "code": r.code, "detail": r.detail} for r in assessment.decision.reasons]


def _terms(session: Session, call: CallState, assessment: Assessment) -> dict[str, Any]:
    spec = assessment.call.spec
    return {
        **_where(session, call),
        "tool": spec.name,
        "tool_version": str(spec.id),
        "effect": spec.effect,
        "idempotency": spec.idempotency,
        "max_attempts": spec.max_attempts,
        "backoff_base_ms": round(spec.backoff_base_s * 1000),
        "backoff_cap_ms": round(spec.backoff_cap_s * 1000),
        "on_unknown": spec.on_unknown,
        "on_breaker_open": spec.on_breaker_open,
        "decision": assessment.verdict,
        "reasons": _reasons(assessment),
        "grant": str(assessment.grant_id),
        "digest": assessment.digest,
    }


def _note_refused(session: Session, call: CallState, code: str, detail: str, **facts: Any) -> None:
    """Note why a call may not go out; one in doubt is left to a person, for "refused" would claim no effect."""
    facts = {**_where(session, call), "tool": call.tool, "code": code, **facts}
    if call.in_doubt:
        doubt = {"attempt": call.attempts, "latency_ms": 0, "then": "park", "delay_ms": 0}
        session.note(e.CALL_UNKNOWN, {**facts, **doubt}, {"detail": detail})
    else:
        session.note(e.CALL_REFUSED, facts, {"detail": detail}, give_caps_back(session, call))


def _note_denied(session: Session, call: CallState, assessment: Assessment) -> None:
    code = assessment.decision.code
    facts = {"reasons": _reasons(assessment), "decision": "DENY"}
    if code in ("invalid_arguments", "amount_missing"):  # the words quote the model's arguments: content only
        facts["reasons"] = [{"source": "tool", "code": code, "detail": ""}]
    _note_refused(session, call, code, assessment.detail, **facts)


def _note_asked(session: Session, call: CallState) -> None:
    arguments = proposal(session, call.number)["arguments"] or {}
    question = str(arguments.get("question") or arguments.get("reason") or "")
    if not question.strip():
        _note_refused(session, call, "invalid_arguments", f"{call.tool} needs words")
        return
    action = BUILT_IN_TOOLS[call.tool]
    where = (session.context.run_id, session.state.step, call.number)
    queue: Guard | None = (lambda cursor: open_handover(cursor, *where)) if action == "handover" else None
    session.note(
        e.CALL_ASKED, {**_where(session, call), "action": action}, {"question": question[:4000]}, queue
    )


# --- asking people --------------------------------------------------------------------------------------


def ask_people(session: Session, call: CallState, assessment: Assessment) -> None:
    """Put the call before people: the request and the note that the run waits stand or fall together."""
    context, now = session.context, utc_now()
    subject = Subject(
        str(context.run_id), WAKE_TASK, context.team_id, context.principal_id, context.application_id,
        context.started_by_id,
    )  # fmt: skip
    session.commit()  # what has happened so far is evidence
    shown = evidence.collect(session, call, assessment)
    with session.orm_write() as write:
        request = request_approval(assessment=assessment, subject=subject, evidence=shown, now=now)
        expires_at = request.expires_at.isoformat()
        facts = {**_terms(session, call, assessment), "approval": str(request.id), "expires_at": expires_at}
        session.note(e.CALL_GATED, facts)
        write()


def heed_decisions(session: Session) -> None:
    """Note what people have decided about the calls that wait for them."""
    waiting = {UUID(call.approval): call for call in session.state.calls if call.status == "waiting"}
    if not waiting or session.state.has_ended:  # its end has withdrawn them
        return
    for approval, verdict in gate.read_verdicts(list(waiting)).items():
        call = waiting[approval]
        facts = {**_where(session, call), "approval": str(approval), "verdict": verdict}
        if verdict == "approved":
            session.note(e.APPROVAL_GRANTED, facts)
        else:
            code = {"denied": "denied_by_human", "expired": "approval_expired"}.get(
                verdict, "approval_voided"
            )
            detail = evidence.refusal_words(approval, code)
            facts["code"] = code
            session.note(e.APPROVAL_REFUSED, facts, {"detail": detail}, give_caps_back(session, call))


# --- executing ------------------------------------------------------------------------------------------


def call_tools(session: Session, numbers: Sequence[int]) -> None:
    """Assess again, get permits, ask the breakers, commit the attempts (C2), and only then make them."""
    ready: list[Ready] = []
    try:
        for number in numbers[:1] if session.one_by_one else numbers:
            if (found := _make_ready(session, number)) is not None:
                ready.append(found)
        if not ready:
            return
        _commit_attempts(session, ready)
        session.confirm_lease()  # whoever was stopped meanwhile must not go on to the effect
    except BaseException:
        for item in ready:
            give_back(item.assessment.call.spec, item.admission)
        raise
    with waiting_outside():
        outcomes = _execute_all(ready)
    session.read_clock()
    for item, (outcome, transition) in zip(ready, outcomes, strict=True):
        _note_outcome(session, item, outcome)
        if transition is not None:
            mirror.record_transition(item.assessment.call.spec, transition)


def _commit_attempts(session: Session, ready: Sequence[Ready]) -> None:
    # In the order of their tools: two runs that take caps of the same tools must not wait for each other.
    ordered = sorted(ready, key=lambda item: item.assessment.call.spec.tool_id)
    for item in ready:
        _note_attempt(session, item)
    try:
        session.commit([guard for item in ordered for guard in _guards(session, item)])
    except GuardRefused:
        session.one_by_one = len(ready) > 1  # together they may ask for more than is left
        raise


def _make_ready(session: Session, number: int) -> Ready | None:
    """Return the call with its permit and admission, or None after noting why it may not go out."""
    call = session.state.call(number)
    spec = session.version.catalogue[call.tool]
    fresh = session.fresh.pop(number, None)
    assessment = fresh or _assess(session, call, spec)
    if assessment.replay is not None:
        _note_replay(session, call, assessment)
        return None
    approval = UUID(call.approval) if call.approval else None
    try:
        permit = gate.require(assessment, approval_id=approval, now=utc_now())
    except PolicyDenied:
        _note_denied(session, call, assessment)
        return None
    except ApprovalRequired as error:
        if call.in_doubt:  # a person's denial would come too late for what may have happened
            _note_refused(session, call, error.code, error.detail)
        else:
            ask_people(session, call, assessment)
        return None
    except StateConflict as error:
        _note_refused(session, call, error.code, error.detail)
        return None
    admission = execution.admit(spec, forced_open=assessment.forced_open)
    if not admission.allowed:
        _note_breaker_open(session, call, spec, admission)
        return None
    return Ready(number, assessment, permit, admission, told=fresh is not None)


def _note_breaker_open(session: Session, call: CallState, spec: ToolSpec, admission: Admission) -> None:
    retry_at = admission.retry_at or utc_now() + timedelta(seconds=spec.breaker.open_s)
    if spec.on_breaker_open == "wait":
        facts = {**_where(session, call), "code": "circuit_open", "retry_at": retry_at.isoformat()}
        session.note(e.CALL_DEFERRED, {**facts, "breaker": admission.state, "local": admission.local})
    else:
        detail = f"{spec.name} is out of order ({admission.state}); it may be back at {retry_at:%H:%M:%S} UTC"
        _note_refused(session, call, "circuit_open", detail, breaker=admission.state, local=admission.local)


def _guards(session: Session, item: Ready) -> list[Guard]:
    """Return what must hold in the very transaction that commits the attempt."""
    assessment, call = item.assessment, item.assessment.call
    guards: list[Guard] = []
    if assessment.claims:
        claims = assessment.claims
        guards.append(lambda cursor: reserve_caps(cursor, call.identity_id, call.spec.tool_id, claims))
    if assessment.dedupe_digest:
        guards.append(lambda cursor: is_first_of_its_kind(cursor, assessment, utc_now()))
    return guards + _approval_guard(item)


def _approval_guard(item: Ready) -> list[Guard]:
    approval = item.permit.approval_id
    if approval is None:
        return []
    key, digest = item.assessment.call.key, item.assessment.digest

    def consume(cursor: Cursor) -> bool:
        return gate.consume(cursor, approval_id=approval, digest=digest, key=key, now=utc_now())

    return [consume]


def _note_attempt(session: Session, item: Ready) -> None:
    call, assessment = session.state.call(item.number), item.assessment
    facts = {
        **_where(session, call),
        "attempt": assessment.call.attempt,
        "key": assessment.call.key,
        "effect": assessment.call.spec.effect,
        "permit": item.permit.reference,
        "claims": [[claim.window, str(claim.amount)] for claim in assessment.claims],
        "dedupe": assessment.dedupe_digest,
        "breaker": item.admission.state,
        "local_breaker": item.admission.local,
    }
    if not item.told:
        facts |= {"decision": assessment.verdict, "reasons": _reasons(assessment)}
    session.note(e.ATTEMPT_STARTED, facts)


def _execute_all(ready: Sequence[Ready]) -> list[tuple[Outcome, Transition | None]]:
    if len(ready) == 1:
        return [execute(ready[0].assessment, ready[0].permit, ready[0].admission)]
    futures = [_readers().submit(execute, item.assessment, item.permit, item.admission) for item in ready]
    return [future.result() for future in futures]


# --- outcomes -------------------------------------------------------------------------------------------


def _note_outcome(session: Session, item: Ready, outcome: Outcome) -> None:
    call = session.state.call(item.number)
    note_outcome(session, call, item.assessment.call.spec, outcome)


def give_caps_back(session: Session, call: CallState) -> Guard | None:
    """Return the duty to give back what a call holds of caps and surely did not use."""
    if not call.claims:
        return None
    identity, tool = session.context.identity_id, session.version.catalogue[call.tool].tool_id

    def release(cursor: Cursor) -> bool:
        release_caps(cursor, identity, tool, call.claims)
        return True

    return release


def note_outcome(
    session: Session, call: CallState, spec: ToolSpec, outcome: Outcome, *, was_read_back: bool = False
) -> None:
    """Note what became of an attempt, and what follows from it."""
    facts: dict[str, Any] = {
        **_where(session, call),
        "attempt": call.attempts,
        "code": outcome.code,
        "latency_ms": outcome.latency_ms,
    }
    if spec.effect != "read":
        facts["key"] = key_of(session, call)
    if was_read_back:
        facts["read_back"] = True
    if outcome.status == "succeeded":
        content = {"value": outcome.value}
        session.note(e.CALL_SUCCEEDED, {**facts, "size": evidence.size_of(outcome.value)}, content)
        return
    _note_trouble(session, call, spec, outcome, facts)


def _note_trouble(
    session: Session, call: CallState, spec: ToolSpec, outcome: Outcome, facts: dict[str, Any]
) -> None:
    content = {"detail": outcome.detail, "value": outcome.value}
    in_doubt = call.in_doubt and not facts.get("read_back")
    follow = decide_retry(
        effect=spec.effect,
        idempotency=spec.idempotency,
        attempt=call.attempts,
        max_attempts=spec.max_attempts,
        outcome_status="unknown" if outcome.status == "unknown" else "failed",
        retryable=outcome.retryable,
        jitter=random.random(),  # noqa: S311  recorded as the delay it leads to
        base_s=spec.backoff_base_s,
        cap_s=spec.backoff_cap_s,
        retry_after_s=outcome.retry_after_s,
        in_doubt=in_doubt,
        read_backs=call.read_backs,
    )
    doubtful = outcome.status == "unknown" or in_doubt
    if isinstance(follow, GiveUp):
        facts["size"] = len(outcome.detail)
        session.note(e.CALL_FAILED, facts, content, give_caps_back(session, call))
    elif isinstance(follow, Retry) and not doubtful:
        delay = {"retryable": True, "delay_ms": round(follow.delay_s * 1000)}
        session.note(e.ATTEMPT_FAILED, {**facts, **delay}, content)
    else:
        delay_s = 0.0 if isinstance(follow, Park) else follow.delay_s
        then = {Retry: "retry", ReadBack: "read_back", Park: "park"}[type(follow)]
        session.note(e.CALL_UNKNOWN, {**facts, "then": then, "delay_ms": round(delay_s * 1000)}, content)


def settle_lost_attempt(session: Session, number: int) -> None:
    """An attempt was started and its driver died: for a write nobody knows, for a read nothing is lost."""
    call = session.state.call(number)
    spec = session.version.catalogue[call.tool]
    status: Status = "failed" if spec.effect == "read" else "unknown"
    detail = "the driver died before the outcome was recorded"
    # It may only have been stopped. Once its time for the call is over it sends nothing more, and the tool's word
    # that there was no effect can be believed.
    rest_s = spec.timeout_s if spec.idempotency == "read_back" else None
    note_outcome(session, call, spec, Outcome(status, "lost", detail, retryable=True, retry_after_s=rest_s))


def read_back(session: Session, number: int) -> None:
    """Ask the tool what became of an unknown attempt."""
    call = session.state.call(number)
    spec = session.version.catalogue[call.tool]
    assessment = _assess(session, call, spec)
    with waiting_outside():
        answer = execution.read_back(assessment.call)
    session.read_clock()
    if answer is None:
        answer = Outcome("unknown", "no_read_back", f"{spec.name} cannot be asked", retryable=False)
    note_outcome(session, call, spec, answer, was_read_back=answer.status != "unknown")


def park(session: Session, number: int) -> None:
    """Leave an unknown outcome to a person."""
    session.note(e.CALL_PARKED, _where(session, session.state.call(number)))


def _note_replay(session: Session, call: CallState, assessment: Assessment) -> None:
    """The key is known and its effect succeeded: note the recorded outcome instead of making a second effect."""
    seen = assessment.replay
    content = session.content_of(seen.outcome_seq) if seen and seen.outcome_seq else None
    facts = {
        **_where(session, call),
        "attempt": call.attempts,
        "code": "replayed",
        "replayed": True,
        "latency_ms": 0,
    }
    session.note(e.CALL_SUCCEEDED, facts, content or {"value": None})
