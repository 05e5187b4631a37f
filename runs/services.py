"""Verbs on runs, called alike by the API, the console and the command line.

Each one checks, locks the run, appends to its stream and rings its driver, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from agentops.engine import events as e
from agentops.engine.state import RunState as State
from agentops.errors import NotFound, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import Cursor
from agentops.messages import send_after_commit
from agentops.text import is_blank
from agentops.tracing import TraceContext, continue_trace
from approvals.confirmations.asking import void_confirmations
from approvals.services import void_requests
from identities.models import AgentIdentity, ApiKey, Application, User
from identities.oauth.issuers import ProvenUser
from runs import lease_rows
from runs.admission import needs_review
from runs.back_pressure import check_room
from runs.bounds import bind
from runs.changesets.forms import RunForm, check_form, limit_tools, write_message
from runs.changesets.withdrawing import withdraw_changes
from runs.evidence import USER_WROTE
from runs.fulfilment.judging import check_task
from runs.models import AgentVersion, ChangeSet, Priority, Proof, Run, RunKind, RunMode
from runs.policies import may_control, may_start, may_start_version, may_veto
from runs.queues import DRIVE, queue_of
from runs.starting import create_run, find_principal, published_version, record_start, refuse_stopped
from runs.steering import write_by_person
from tools.caps import release_caps


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
    trace: TraceContext | None = None,
    credential: ApiKey | None = None,
    proven: ProvenUser | None = None,
    parent: Run | None = None,
    limits: Mapping[str, Any] | None = None,  # Any: JSON
    priority: Priority = Priority.NORMAL,
    mode: RunMode = RunMode.ACT,
    task: str = "",
    form: RunForm | None = None,
) -> Run:
    """Start a run of the agent's published version on behalf of a principal, in the caller's trace or a new one.

    ``credential``: the key with which it is started. ``proven``: what a token of the user's said that was verified.
    ``parent``: the run on whose behalf this one acts, and within whose authority. ``limits``: of the agent's tools
    only these, by name, on terms of their own. ``priority``: which begins first where people have too much to review.

    ``mode``: whether what it decides is carried out, or staged for review. ``form``: by what it is measured, what it
    must keep to and must not use, checked before anything starts. ``task``: the type of task, of those that the
    version declares, by whose checks it is judged once it has ended.

    Raises PolicyDenied when the actor may not, StateConflict when the agent has nothing published or is not
    active, ValidationFailed for an empty or oversized message, limits that cannot be kept or a task that is not
    declared, Overloaded where what is due waits too long already for one of this priority to join.
    """
    check_text(message)
    may_start(actor, agent, application, (issuer, subject), proven).enforce()
    if parent is None:
        check_room(priority, agent.team_id)
    trace = trace or continue_trace(traceparent, tracestate)
    with transaction.atomic():
        version = published_version(agent)
        may_start_version(version, application).enforce()
        principal = find_principal(agent, issuer, subject)
        refuse_stopped(principal, version)
        check_task(version, task, mode)
        limits = _limit(version, mode, form, limits)
        bounds = bind(
            actor=actor, agent=agent, version=version, principal=principal, parent=parent, limits=limits
        )
        run = create_run(
            actor=actor, version=version, principal=principal, application=application, trace=trace,
            bounds=bounds, proof=_proof_of(application, proven), credential=credential, priority=priority, mode=mode,
            task=task,
            needs_review=parent is None and needs_review(version, proposes=mode == RunMode.PROPOSE),
            ceilings=form.ceilings if form else None,
        )  # fmt: skip
        _tell(run, actor, message, form)
    return run


def _limit(
    version: AgentVersion, mode: RunMode, form: RunForm | None, limits: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:  # Any: JSON
    """Return to which tools a run keeps, once its form has been found to fit the version."""
    if form is not None:
        check_form(form, version)
    return limit_tools(version, mode, form, limits)


def _tell(run: Run, actor: User, message: str, form: RunForm | None) -> None:
    """Write what was asked as the first entry, and have a worker begin."""
    kept = {"form": form.as_content(message)} if form else None
    by = "application" if run.application_id else "staff"
    record_start(run, actor, write_message(message, form), by, kept=kept)
    send_after_commit(DRIVE, str(run.pk), queue=queue_of(run.priority))


def check_text(text: str) -> None:
    """Raise ValidationFailed for words that say nothing, or more than anybody reads."""
    if is_blank(text):
        raise ValidationFailed("message_missing", "say what is to be done")
    if len(text) > settings.REQUEST_TEXT_LIMIT:
        raise ValidationFailed("message_too_long", f"at most {settings.REQUEST_TEXT_LIMIT} characters")


def _proof_of(application: Application | None, proven: ProvenUser | None) -> str:
    if proven is not None:
        return Proof.TOKEN
    return Proof.STAFF if application is None else Proof.ASSERTED


Duty = Callable[[Cursor, State], None]


def append_to_run(
    actor: User | AgentIdentity,
    run: Run,
    kind: str,
    facts: dict[str, Any],
    content: Any = None,
    duty: Duty | None = None,
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
            lease_rows.allow_one_drive(cursor, run.pk, settings.DRIVE_TRIES)
        send_after_commit(DRIVE, str(run.pk), queue="critical")
    locked.refresh_from_db()
    return locked


def _require_control(actor: User, run: Run, permission: str = "runs.control_run") -> None:
    may_control(actor, run, permission).enforce()


def _control(actor: User, run: Run, kind: str, reason: str) -> Run:
    _require_control(actor, run)
    return append_to_run(actor, run, kind, {}, {"reason": reason})


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
    """Add a follow-up message of the user to a run that is still going; an undo has nobody who would read it."""
    _require_control(actor, run)
    if run.kind == RunKind.UNDO:
        raise StateConflict("is_an_undo", "nobody reads messages in an undo; nothing was changed")
    if run.kind == RunKind.APPLY:
        raise StateConflict(
            "is_an_apply", "nobody reads messages while a change set is applied; nothing was changed"
        )
    if run.kind == RunKind.CASE:
        raise StateConflict("is_a_case", "a case is tried with its own words only; nothing was changed")
    check_text(text)
    return append_to_run(
        actor, run, e.MESSAGE_RECEIVED, {"size": len(text)}, {"text": text}, void_approvals(run)
    )


def void_approvals(run: Run) -> Duty:
    """Return the duty to withdraw what waits for people or was not used yet.

    An approver has not seen the user's new words, and the agent has not read them: it may ask anew.
    """

    def void(cursor: Cursor, state: State) -> None:
        void_requests(subject_ref=str(run.pk), code=USER_WROTE, now=timezone.now())
        void_confirmations(subject_ref=str(run.pk), code=USER_WROTE, now=timezone.now())
        withdraw_changes(run.pk, ChangeSet.State.SUPERSEDED, USER_WROTE, timezone.now())

    return void


def answer_input(
    *, actor: User, run: Run, text: str, step: int | None = None, call: int | None = None
) -> Run:
    """Answer the question that the agent asked the user; without step and call, the oldest open one."""
    _require_control(actor, run)
    check_text(text)
    where = _awaited(run, "input", step, call)
    facts = {**where, "size": len(text)}
    return append_to_run(actor, run, e.INPUT_RECEIVED, facts, {"text": text}, void_approvals(run))


def _awaited(run: Run, kind: str, step: int | None, call: int | None) -> dict[str, int]:
    for action in run.required_actions:
        matches = action["type"] == kind and step in (None, action["step"]) and call in (None, action["call"])
        if matches:
            return {"step": action["step"], "call": action["call"]}
    raise StateConflict("not_awaited", f"the run does not wait for {kind}")


def veto_call(*, actor: User, run: Run, step: int, call: int, reason: str) -> Run:
    """Keep a call that is held from going out; the agent is told so, with the reason, and goes on.

    Raises StateConflict when the call is not held (any more): what has gone out is not called back.
    """
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why it must not happen; the agent reads it")
    may_veto(actor, run).enforce()
    return append_to_run(actor, run, e.CALL_VETOED, {"step": step, "call": call}, {"reason": reason})


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

    return append_to_run(actor, run, e.OUTCOME_SETTLED, facts, {"note": note}, give_caps_back)
