"""Stopping: one verb for all that can be stopped, which does what each scope's own verb does, and keeps a receipt.

A drill does it all, checks of rights and states included, and takes the effect back before anybody sees it.
No scope asks for a fresh second factor: whoever reaches the button can press it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone

from agentops.errors import NotFound, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from identities.models import AgentIdentity, ApiKey, Application, Principal, User
from identities.services import revoke_application, stop_api_key, suspend_agent, throw_switch
from runs.models import AgentVersion, Run, Stop
from runs.receipts import going_at
from runs.services import kill_run
from tools.models import Tool
from tools.services import quarantine_tool

Scope = Stop.Scope
Act = Callable[[User, Any, str], object]  # Any: the object that is stopped


@dataclass(frozen=True, slots=True)
class Stopping:
    """How something of one scope is stopped; ``model`` is what its target is the id of, if of anything."""

    act: Act
    model: type[models.Model] | None = None


def _throw(scope: str) -> Act:
    return lambda actor, target, reason: throw_switch(
        actor=actor, scope=scope, target=str(getattr(target, "pk", target)), reason=reason
    )


STOPPINGS: dict[str, Stopping] = {
    Scope.RUN: Stopping(lambda actor, run, reason: kill_run(actor=actor, run=run, reason=reason), Run),
    Scope.AGENT: Stopping(
        lambda actor, agent, reason: suspend_agent(actor=actor, agent=agent, reason=reason), AgentIdentity
    ),
    Scope.TOOL: Stopping(
        lambda actor, tool, reason: quarantine_tool(actor=actor, tool=tool, reason=reason), Tool
    ),
    Scope.APPLICATION: Stopping(
        lambda actor, application, reason: revoke_application(
            actor=actor, application=application, reason=reason, emergency=True
        ),
        Application,
    ),
    Scope.PRINCIPAL: Stopping(_throw("principal"), Principal),
    Scope.CREDENTIAL: Stopping(
        lambda actor, key, reason: stop_api_key(actor=actor, key=key, reason=reason), ApiKey
    ),
    Scope.PROVIDER: Stopping(_throw("provider")),
    Scope.EVERYTHING: Stopping(_throw("everything")),
}


class _TakenBack(Exception):
    """The end of a drill."""


@transaction.atomic
def stop(*, actor: User, scope: str, target: str = "", reason: str, drill: bool = False) -> Stop:
    """Stop something, by its id or a provider's name, and keep a receipt; raises what the scope's own verb raises.

    Raises ValidationFailed without a reason or for an unknown scope, NotFound for an unknown target.
    """
    if scope not in STOPPINGS:
        raise ValidationFailed("unknown_scope", f"what can be stopped: {', '.join(STOPPINGS)}")
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why; the record keeps it")
    if scope == Scope.PROVIDER and not AgentVersion.objects.filter(planner=target).exists():
        raise NotFound("unknown_target", "No version of any agent is run by such a model provider.")
    stopping = STOPPINGS[scope]
    subject = target if stopping.model is None else _find(stopping.model, target, actor)
    with suppress(_TakenBack), transaction.atomic():
        stopping.act(actor, subject, reason)
        if drill:
            raise _TakenBack
    made = Stop.objects.create(
        scope=scope, target=target, team_id=_team_of(subject), is_drill=drill,
        stopped_at=timezone.now(), stopped_by=actor,
    )  # fmt: skip
    _record(made, reason)
    return made


def _team_of(subject: Any) -> UUID | None:  # Any: what is stopped, of whatever model
    """Return whose it is; a person's own key, a provider and everything are no team's."""
    if isinstance(subject, ApiKey) and subject.user.kind == User.Kind.APPLICATION:
        subject = subject.user.application
    team: UUID | None = getattr(subject, "team_id", None)
    return team


def _find(model: type[models.Model], target: str, actor: User) -> models.Model:
    """Return what is to be stopped; what the actor may not see is not there."""
    rows: Any = model._default_manager.all()  # Any: most models have querysets of their own
    visible = rows.visible_to(actor) if hasattr(rows, "visible_to") else rows
    try:
        found: models.Model | None = visible.filter(pk=UUID(target)).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound(
            "unknown_target", f"There is no such {model._meta.verbose_name}, or it is not yours to see."
        )
    return found


def _record(made: Stop, reason: str) -> None:
    facts = {
        "scope": made.scope,
        "target": made.target,
        "drill": made.is_drill,
        "going": going_at(made).count(),
    }
    draft = Draft("stop.made", made.stopped_at, facts, {"reason": reason}, made.stopped_by_id)
    record(made.pk, "stop", draft)
