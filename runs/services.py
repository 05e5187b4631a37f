"""Verbs on runs, called alike by the API, the console and the command line.

Each one checks, locks the run, appends to its stream and rings its driver, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from agentops.engine import ENGINE_VERSION
from agentops.engine import events as e
from agentops.engine.state import RunState as State
from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import Cursor, record
from agentops.messages import send_after_commit
from agentops.text import is_blank
from agentops.tracing import TraceContext, continue_trace
from approvals.services import void_requests
from identities.models import AgentIdentity, ApiKey, Application, KillSwitch, Principal, User
from identities.oauth.issuers import ProvenUser
from runs import escrow, lease_rows
from runs.bounds import Bounds, bind, describe_bounds
from runs.evidence import USER_WROTE
from runs.models import AgentVersion, Handover, Proof, Run
from runs.policies import May, may_control, may_start, may_start_version
from runs.steering import write_by_person
from tools.caps import release_caps

DRIVE = "runs.drive"


def start_run(
    *,
    actor: User,
    agent: AgentIdentity,
    message: str,
    issuer: str,
    subject: str,
    application: Application | None,
    traceparent: str = "",
    tracestate: str = "",
    credential: ApiKey | None = None,
    proven: ProvenUser | None = None,
    parent: Run | None = None,
    limits: Mapping[str, Any] | None = None,  # Any: JSON
) -> Run:
    """Start a run of the agent's published version on behalf of a principal, in the caller's trace or a new one.

    ``credential``: the key with which it is started. ``proven``: what a token of the user's said that was verified.
    ``parent``: the run on whose behalf this one acts, and within whose authority. ``limits``: of the agent's tools
    only these, by name, on terms of their own.

    Raises PolicyDenied when the actor may not, StateConflict when the agent has nothing published or is not
    active, ValidationFailed for an empty or oversized message or limits that cannot be kept.
    """
    _check_text(message)
    _enforce(may_start(actor, agent, application, (issuer, subject), proven))
    trace = continue_trace(traceparent, tracestate)
    with transaction.atomic():
        version = _published_version(agent)
        _enforce(may_start_version(version, application))
        principal = _find_principal(agent, issuer, subject)
        _refuse_stopped(principal, version)
        bounds = bind(
            actor=actor, agent=agent, version=version, principal=principal, parent=parent, limits=limits
        )
        run = _create_run(actor, agent, version, principal, application, trace, bounds, proven, credential)
        _record_start(run, version, actor, message)
        send_after_commit(DRIVE, str(run.pk))
    return run


def _enforce(decision: May) -> None:
    if not decision.allowed:
        raise PolicyDenied(decision.code, decision.detail)


def _check_text(text: str) -> None:
    if is_blank(text):
        raise ValidationFailed("message_missing", "say what is to be done")
    if len(text) > settings.REQUEST_TEXT_LIMIT:
        raise ValidationFailed("message_too_long", f"at most {settings.REQUEST_TEXT_LIMIT} characters")


def _published_version(agent: AgentIdentity) -> AgentVersion:
    if not agent.may_act(timezone.now()):
        raise StateConflict("agent_not_active", f"the agent is {agent.state}, or has expired")
    version: AgentVersion | None = AgentVersion.objects.filter(
        identity=agent, state=AgentVersion.State.PUBLISHED
    ).first()
    if version is None:
        raise StateConflict("nothing_published", "the agent has no published version")
    return version


def _refuse_stopped(principal: Principal, version: AgentVersion) -> None:
    """Refuse early; a switch that is thrown this very moment is heeded before the run's first model call."""
    switch = KillSwitch.objects.thrown().concerning(principal.pk, version.planner).order_by("scope").first()
    if switch is not None:
        raise StateConflict(f"{switch.scope}_stopped", "a kill switch is thrown; try again when it is lifted")


def _find_principal(agent: AgentIdentity, issuer: str, subject: str) -> Principal:
    for name, value in (("issuer", issuer), ("subject", subject)):
        if not value.strip() or len(value) > 200 or not value.isprintable():
            raise ValidationFailed(
                "bad_principal", f"the principal's {name} has 1 to 200 printable characters"
            )
    while True:
        principal, _ = Principal.objects.get_or_create(team_id=agent.team_id, issuer=issuer, subject=subject)
        if _hold(principal):
            return principal


def _hold(principal: Principal) -> bool:
    """Keep the end user from being erased until the commit; return whether it still stands."""
    with connection.cursor() as cursor:
        # Shared, so that runs of one person do not wait for each other; it waits for an erasure, which would
        # otherwise miss the run that is being started.
        cursor.execute(
            "SELECT 1 FROM identities_principal WHERE id = %s AND subject = %s FOR KEY SHARE",
            [principal.pk, principal.subject],
        )
        return cursor.fetchone() is not None


def _create_run(
    actor: User,
    agent: AgentIdentity,
    version: AgentVersion,
    principal: Principal,
    application: Application | None,
    trace: TraceContext,
    bounds: Bounds,
    proven: ProvenUser | None,
    credential: ApiKey | None,
) -> Run:
    now = timezone.now()
    return Run.objects.create(
        id=new_id(),
        team_id=agent.team_id,
        identity=agent,
        agent_version=version,
        principal=principal,
        application=application,
        started_by=actor if actor.kind == User.Kind.PERSON else None,
        credential=credential,
        proof=_proof_of(application, proven),
        parent=bounds.parent,
        line=bounds.line,
        limits=bounds.limits,
        trace_id=trace.trace_id,
        trace_flags=trace.flags,
        trace_state=trace.state,
        created_at=now,
        updated_at=now,
        expires_at=_first_end(now, version, agent, bounds.parent),
        wake_at=now,
        max_steps=version.max_steps or 0,
        max_tokens=version.max_tokens or 0,
        max_usd=version.max_usd or 0,
        max_seconds=version.max_seconds or 0,
    )


def _proof_of(application: Application | None, proven: ProvenUser | None) -> str:
    if proven is not None:
        return Proof.TOKEN
    return Proof.STAFF if application is None else Proof.ASSERTED


def _first_end(
    now: datetime, version: AgentVersion, agent: AgentIdentity, parent: Run | None = None
) -> datetime:
    after_s = version.run_expires_after_s
    ends = [now + timedelta(seconds=after_s)] if after_s else []
    ends += [agent.expires_at] if agent.expires_at else []
    ends += [parent.expires_at] if parent else []
    if not ends:
        raise StateConflict("no_expiry", "neither the version nor the agent says when its runs end")
    return min(ends)


def _record_start(run: Run, version: AgentVersion, actor: User, message: str) -> None:
    with connection.cursor() as cursor:
        shared = escrow.limited_by(cursor, run.team_id, run.identity_id)
    facts: dict[str, Any] = {
        "engine": ENGINE_VERSION,
        "agent_version": str(version.pk),
        "identity": str(run.identity_id),
        "principal": str(run.principal_id),
        "application": str(run.application_id) if run.application_id else None,
        "started_by": str(run.started_by_id) if run.started_by_id else None,
        "asserted_by": "application" if run.application_id else "staff",
        "proof": str(run.proof),
        "credential": str(run.credential_id) if run.credential_id else None,
        **describe_bounds(run),
        "trace_id": run.trace_id,
        "limits": {
            "steps": run.max_steps,
            "tokens": run.max_tokens,
            "usd": str(run.max_usd),
            "seconds": run.max_seconds,
        },
        "shared": shared,
        "expires_at": run.expires_at.isoformat(),
        "repeat_limit": version.repeat_limit,
        "size": len(message),
    }
    record(run.pk, "run", Draft(e.RUN_STARTED, run.created_at, facts, {"message": message}, actor.pk))


Duty = Callable[[Cursor, State], None]


def _append(
    actor: User, run: Run, kind: str, facts: dict[str, Any], content: Any = None, duty: Duty | None = None
) -> Run:
    """Append a person's event to a run, with its duty; make it due, and ring its driver.

    One that has ended takes nothing more but the outcome of a call that it left in doubt.
    """
    with transaction.atomic():
        locked = Run.objects.select_for_update().get(pk=run.pk)
        if locked.has_ended and kind != e.OUTCOME_SETTLED:
            raise StateConflict("run_ended", f"the run is {locked.state}; nothing was changed")
        draft = Draft(kind, timezone.now(), facts, content, actor.pk)
        with connection.cursor() as cursor:
            after = write_by_person(cursor, locked, draft)
            if duty is not None:
                duty(cursor, after)
            lease_rows.ring(cursor, run.pk)
        send_after_commit(DRIVE, str(run.pk), queue="critical")
    locked.refresh_from_db()
    return locked


def _require_control(actor: User, run: Run, permission: str = "runs.control_run") -> None:
    _enforce(may_control(actor, run, permission))


def _control(actor: User, run: Run, kind: str, reason: str) -> Run:
    _require_control(actor, run)
    return _append(actor, run, kind, {}, {"reason": reason})


def cancel_run(*, actor: User, run: Run, reason: str = "") -> Run:
    """Ask a run to stop at the next command; what has happened stays. Raises StateConflict when it has ended."""
    return _control(actor, run, e.CANCEL_REQUESTED, reason)


def pause_run(*, actor: User, run: Run, reason: str = "") -> Run:
    """Let a run rest before its next command; its expiry goes on."""
    return _control(actor, run, e.RUN_PAUSED, reason)


def resume_run(*, actor: User, run: Run, reason: str = "") -> Run:
    """Let a paused run go on."""
    if run.state != "paused":
        raise StateConflict("not_paused", f"the run is {run.state}, not paused")
    return _control(actor, run, e.RUN_UNPAUSED, reason)


def kill_run(*, actor: User, run: Run, reason: str = "") -> Run:
    """Halt a run as an operator: no further call, the reason on its record."""
    with transaction.atomic():
        killed = _control(actor, run, e.RUN_KILLED, reason)
        send_after_commit("runs.withdraw_credentials", "run", str(run.pk), queue="critical")
    return killed


def add_message(*, actor: User, run: Run, text: str) -> Run:
    """Add a follow-up message of the user to a run that is still going."""
    _require_control(actor, run)
    _check_text(text)
    return _append(actor, run, e.MESSAGE_RECEIVED, {"size": len(text)}, {"text": text}, _void_approvals(run))


def _void_approvals(run: Run) -> Duty:
    """Return the duty to withdraw what waits for people or was not used yet.

    An approver has not seen the user's new words, and the agent has not read them: it may ask anew.
    """

    def void(cursor: Cursor, state: State) -> None:
        void_requests(subject_ref=str(run.pk), code=USER_WROTE, now=timezone.now())

    return void


def answer_input(
    *, actor: User, run: Run, text: str, step: int | None = None, call: int | None = None
) -> Run:
    """Answer the question that the agent asked the user; without step and call, the oldest open one."""
    _require_control(actor, run)
    _check_text(text)
    where = _awaited(run, "input", step, call)
    facts = {**where, "size": len(text)}
    return _append(actor, run, e.INPUT_RECEIVED, facts, {"text": text}, _void_approvals(run))


def _awaited(run: Run, kind: str, step: int | None, call: int | None) -> dict[str, int]:
    for action in run.required_actions:
        matches = action["type"] == kind and step in (None, action["step"]) and call in (None, action["call"])
        if matches:
            return {"step": action["step"], "call": action["call"]}
    raise StateConflict("not_awaited", f"the run does not wait for {kind}")


def answer_handover(*, actor: User, handover: Handover, text: str) -> Handover:
    """Answer a conversation that an agent handed over; the agent goes on with the answer."""
    _check_text(text)
    with transaction.atomic():
        locked = Handover.objects.select_for_update().get(pk=handover.pk)
        if locked.answered_at is not None:
            raise StateConflict("handover_answered", "somebody has answered this already")
        _require_control(actor, locked.run, "runs.answer_handover")
        facts = {"step": locked.step, "call": locked.call, "size": len(text)}
        run = locked.run
        run = _append(actor, run, e.HANDOVER_ANSWERED, facts, {"text": text}, _void_approvals(run))
        locked.answered_at, locked.answered_by = run.updated_at, actor  # the time of the entry
        locked.save(update_fields=["answered_at", "answered_by"])
    return locked


def settle_outcome(*, actor: User, run: Run, step: int, call: int, happened: bool, note: str) -> Run:
    """Say, as a person who looked, whether a call of unknown outcome has taken effect."""
    if is_blank(note):
        raise ValidationFailed("note_missing", "say how you know; the record keeps it")
    _require_control(actor, run, "runs.settle_outcome")
    where = _awaited(run, "outcome", step, call)
    found = run.call_rows.filter(step=step, number=call).first()
    if found is None:
        raise NotFound("unknown_call", "the run has no such call")
    facts = {**where, "happened": happened, "key": found.key}

    def give_caps_back(cursor: Cursor, state: State) -> None:
        if not happened and found.tool_version is not None:
            release_caps(cursor, run.identity_id, found.tool_version.tool_id, state.call(call).claims)

    return _append(actor, run, e.OUTCOME_SETTLED, facts, {"note": note}, give_caps_back)
