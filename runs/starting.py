"""What every start of a run needs, whoever starts it: a version, an end user, a row, and the stream's first entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agentops.engine import ENGINE_VERSION
from agentops.engine import events as e
from agentops.errors import StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.tracing import TraceContext
from identities.models import AgentIdentity, ApiKey, Application, KillSwitch, Principal, User
from runs import escrow
from runs.bounds import Bounds, describe_bounds
from runs.changesets.forms import Ceilings
from runs.fulfilment.judging import begin_judging
from runs.metrics.counting import begin_counting
from runs.models import AgentVersion, ChangeSet, Priority, Run, RunKind, RunMode
from runs.telemetry.outbox import begin_telling
from runs.window import CHARACTERS_PER_TOKEN


def published_version(agent: AgentIdentity) -> AgentVersion:
    """Return the version that new runs get; raises StateConflict where there is none, or the agent may not act."""
    if not agent.may_act(timezone.now()):
        raise StateConflict("agent_not_active", f"the agent is {agent.state}, or has expired")
    version: AgentVersion | None = AgentVersion.objects.filter(
        identity=agent, state=AgentVersion.State.PUBLISHED
    ).first()
    if version is None:
        raise StateConflict("nothing_published", "the agent has no published version")
    version.identity = agent
    return version


def refuse_stopped(principal: Principal, version: AgentVersion) -> None:
    """Refuse early; a switch that is thrown this very moment is heeded before the run's first model call."""
    switch = KillSwitch.objects.thrown().concerning(principal.pk, version.planner).order_by("scope").first()
    if switch is not None:
        raise StateConflict(f"{switch.scope}_stopped", "a kill switch is thrown; try again when it is lifted")


def find_principal(agent: AgentIdentity, issuer: str, subject: str) -> Principal:
    """Return the end user, held until the commit; raises ValidationFailed for a name that nobody can have."""
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


@dataclass(frozen=True, slots=True)
class Origin:
    """Of a child that a call of its parent's starts: who started the parent, which call, the digest of the task."""

    started_by: UUID | None
    credential: UUID | None
    step: int
    call: int
    task_digest: str


def create_run(
    *,
    actor: User | AgentIdentity,
    version: AgentVersion,
    principal: Principal,
    application: Application | None,
    trace: TraceContext,
    bounds: Bounds,
    proof: str,
    credential: ApiKey | None = None,
    conversation: str = "",
    undoes: Run | None = None,
    applies: ChangeSet | None = None,
    fork_of: Run | None = None,
    is_case: bool = False,
    mode: RunMode = RunMode.ACT,
    task: str = "",
    priority: Priority = Priority.NORMAL,
    needs_review: bool = False,
    max_steps: int | None = None,
    ceilings: Ceilings | None = None,
    origin: Origin | None = None,
) -> Run:
    """Write a run's row; with a conversation's digest, that of a run which an agent outside plans.

    One that applies a change set has the set's id, and acts for whoever started the run that proposed it.
    """
    by, key = _started_by(actor, credential, applies, origin)
    run = Run.objects.create(
        id=applies.pk if applies else new_id(),
        principal=principal, application=application, started_by_id=by, credential_id=key, proof=proof,
        kind=_kind_of(undoes, applies, conversation, fork_of, is_case=is_case), fork_of=fork_of, mode=mode,
        task=task, conversation=conversation,
        undoes=undoes, applies=applies.run if applies else None, priority=priority, needs_review=needs_review,
        trace_id=trace.trace_id, trace_flags=trace.flags, trace_state=trace.state,
        **_agent_columns(version), **_place_columns(bounds, origin), **_time_columns(version, bounds.parent),
        **_limit_columns(version, ceilings, max_steps),
    )  # fmt: skip
    if not fork_of and not is_case:  # what is only recalled would be told and counted as calls that were made
        begin_telling(run, trace)
        begin_counting(run)
    if task:
        begin_judging(run)
    return run


Columns = dict[str, Any]  # Any: values of a run's row


def _agent_columns(version: AgentVersion) -> Columns:
    agent = version.identity
    return {"team_id": agent.team_id, "identity": agent, "agent_version": version}


def _place_columns(bounds: Bounds, origin: Origin | None) -> Columns:
    """Return within what it acts, and which call of its parent's it is the task of."""
    return {
        "parent": bounds.parent,
        "line": bounds.line,
        "limits": bounds.limits,
        "delegated_step": origin.step if origin else None,
        "delegated_call": origin.call if origin else None,
        "task_digest": origin.task_digest if origin else "",
    }


def _time_columns(version: AgentVersion, parent: Run | None) -> Columns:
    now = timezone.now()
    end = _first_end(now, version, version.identity, parent)
    return {"created_at": now, "updated_at": now, "wake_at": now, "expires_at": end}


def _limit_columns(version: AgentVersion, ceilings: Ceilings | None, max_steps: int | None) -> Columns:
    names = ("steps", "tokens", "usd", "seconds")
    columns = {f"max_{name}": _ceiling(version, ceilings, name) for name in names}
    return columns | ({"max_steps": max_steps} if max_steps else {})


def _started_by(
    actor: User | AgentIdentity, credential: ApiKey | None, applies: ChangeSet | None, origin: Origin | None
) -> tuple[UUID | None, UUID | None]:
    """Return which person, and with which key, is behind the run; of one that another caused, who is behind that."""
    if origin:
        return origin.started_by, origin.credential
    if applies:
        return applies.run.started_by_id, applies.run.credential_id
    is_person = isinstance(actor, User) and actor.kind == User.Kind.PERSON
    return actor.pk if is_person else None, credential.pk if credential else None


def _ceiling(version: AgentVersion, ceilings: Ceilings | None, name: str) -> Any:  # Any: int or Decimal
    """Return a limit of the run: its form's own, or that of its agent's version."""
    own = getattr(ceilings, name) if ceilings else None
    return (getattr(version, f"max_{name}") or 0) if own is None else own


def _kind_of(
    undoes: Run | None, applies: ChangeSet | None, conversation: str, fork_of: Run | None, *, is_case: bool
) -> RunKind:
    if fork_of or is_case:
        return RunKind.FORK if fork_of else RunKind.CASE
    if undoes or applies:
        return RunKind.UNDO if undoes else RunKind.APPLY
    return RunKind.EXTERNAL if conversation else RunKind.TASK


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


def _extensions(run: Run) -> dict[str, int]:
    """Return, as a fact, how often a run may ask to go on; undos, children and agents outside never do."""
    is_own = run.kind == RunKind.TASK and run.delegated_call is None
    often = run.agent_version.max_extensions if is_own else 0
    return {"extensions": often} if often else {}


def _window(run: Run) -> dict[str, int]:
    """Return, as a fact, beyond how many characters a run's oldest steps are summarised; others know no model."""
    version = run.agent_version
    summarises = version.summarise and run.kind in (RunKind.TASK, RunKind.FORK, RunKind.CASE)
    return {"summarise_at": version.context_tokens * CHARACTERS_PER_TOKEN} if summarises else {}


def _routing(run: Run) -> dict[str, dict[str, int]]:
    """Return, as facts, when a run's calls go to another of its models; others than tasks and cases ask none."""
    version = run.agent_version
    if run.kind not in (RunKind.TASK, RunKind.CASE) or not version.model_roles:
        return {}
    names = ("escalate_invalid", "escalate_failed", "demote_percent")
    return {"routing": {name: getattr(version, name) for name in names}}


def record_start(
    run: Run,
    actor: User | AgentIdentity,
    message: str,
    asserted_by: str,
    *,
    reason: str = "",
    kept: Any = None,
    **more: Any,
) -> None:  # Any: facts
    """Write the first entry of a run's stream; ``asserted_by`` says who told us for whom it acts.

    ``kept`` is what else is kept of what was said, as content that can be erased.
    """
    facts = {
        **_facts_of(run),
        "asserted_by": asserted_by,
        "shared": _read_shared(run),
        "size": len(message),
        **_extensions(run),
        **_window(run),
        **_routing(run),
        **({"task": run.task} if run.task else {}),
        **({"mode": str(run.mode)} if run.mode == RunMode.PROPOSE else {}),
        **({"needs_review": True, "priority": run.priority} if run.needs_review else {}),
        **more,
    }
    content = {"message": message, **({"reason": reason} if reason else {}), **(kept or {})}
    record(run.pk, "run", Draft(e.RUN_STARTED, run.created_at, facts, content, actor.pk))


def _read_shared(run: Run) -> Any:  # Any: which budgets of others it draws on
    with connection.cursor() as cursor:
        return escrow.limited_by(cursor, run.team_id, run.identity_id)


def _facts_of(run: Run) -> dict[str, Any]:  # Any: JSON
    """Return, as facts, who acts for whom, within what, and how far."""
    return {
        "engine": ENGINE_VERSION,
        "agent_version": str(run.agent_version_id),
        "identity": str(run.identity_id),
        "principal": str(run.principal_id),
        "application": str(run.application_id) if run.application_id else None,
        "started_by": str(run.started_by_id) if run.started_by_id else None,
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
        "expires_at": run.expires_at.isoformat(),
        "repeat_limit": run.agent_version.repeat_limit,
    }
