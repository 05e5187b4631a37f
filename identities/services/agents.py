"""Agent identities: draft → active ⇄ suspended → revoked, which is final.

The state alone denies: nothing is removed when an agent is stopped, so what it was allowed stays readable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from agentops.rows import Changes, insert_row, update_row
from identities.activation import check_activation
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, Team, User
from identities.policies import enforce, may_govern, may_stop_agent, require
from identities.querysets import is_known_person
from identities.services.delegations import revoke_delegations_of

State = AgentIdentity.State


@transaction.atomic
def create_agent(
    *,
    actor: User,
    team: Team,
    slug: str,
    name: str,
    purpose: str,
    owner: User,
    expires_at: datetime | None = None,
) -> AgentIdentity:
    """Create an agent in draft, with the service account that its permissions are given to."""
    require(actor, "identities.add_agentidentity", team)
    _check_owner(owner)
    account = User(username=f"agent.{slug}", kind=User.Kind.AGENT)
    account.set_unusable_password()
    agent = AgentIdentity(
        team=team,
        slug=slug,
        name=name,
        purpose=purpose,
        owner=owner,
        service_account=account,
        expires_at=expires_at,
    )
    insert_row(account)
    insert_row(agent)
    facts = {"slug": slug, "team": str(team.id), "owner": str(owner.id), "service_account": str(account.id)}
    _record(agent, "agent.created", actor, facts)
    return agent


@transaction.atomic
def update_agent(
    *, actor: User, agent: AgentIdentity, name: str, purpose: str, owner: User, expires_at: datetime | None
) -> Changes:
    """Change what is said about an agent; return what changed. Raises StateConflict once it is revoked."""
    locked = _lock(agent)
    require(actor, "identities.change_agentidentity", locked.team, locked)
    if locked.state == State.REVOKED:
        raise StateConflict("agent_revoked", f"agent {locked.slug} is revoked for good")
    if owner.pk != locked.owner_id:
        _check_owner(owner)
    if locked.expires_at is not None and locked.expires_at <= timezone.now():
        _end_epoch(locked)  # a later end lets the agent act again, as an activation does
    values = {"name": name, "purpose": purpose, "owner": owner, "expires_at": expires_at}
    changes = update_row(locked, values)
    if changes:
        facts = {"fields": sorted(changes), "owner": str(owner.id), "expires_at": _text(expires_at)}
        _record(locked, "agent.updated", actor, facts)
    return changes


@transaction.atomic
def activate_agent(*, actor: User, agent: AgentIdentity) -> AgentIdentity:
    """Let an agent act, for the first time or again; runs that waited for it go on.

    Raises StateConflict for a revoked or expired agent, ValidationFailed without an active owner, or when
    what it would do lacks a guardrail.
    """
    locked = _lock(agent)
    enforce(may_govern(actor, "identities.operate_agent", locked.team, locked))
    require_fresh_factor(actor)
    _check_owner(locked.owner)
    if locked.expires_at is not None and locked.expires_at <= timezone.now():
        raise StateConflict("agent_expired", f"agent {locked.slug} has expired: set a later end first")
    moved = _move(locked, actor, State.ACTIVE, {State.DRAFT, State.SUSPENDED}, "agent.activated", "")
    check_activation(moved)  # looks at an agent that may act; a refusal takes all of this back
    return moved


@transaction.atomic
def suspend_agent(*, actor: User, agent: AgentIdentity, reason: str = "") -> AgentIdentity:
    """Stop an agent until somebody activates it again."""
    locked = _lock(agent)
    enforce(may_stop_agent(actor, locked))
    return _move(locked, actor, State.SUSPENDED, {State.ACTIVE}, "agent.suspended", reason)


@transaction.atomic
def suspend_locked_agent(*, agent: AgentIdentity) -> AgentIdentity:
    """Suspend an agent that a lock stops, of which nobody is the actor; one that is stopped already stays so."""
    locked = _lock(agent)
    if locked.state != State.ACTIVE:
        return locked
    return _move(locked, None, State.SUSPENDED, {State.ACTIVE}, "agent.suspended", "Its keys were misused.")


@transaction.atomic
def revoke_agent(*, actor: User, agent: AgentIdentity, reason: str = "") -> AgentIdentity:
    """Stop an agent for good; its service account is closed with it."""
    locked = _lock(agent)
    enforce(may_stop_agent(actor, locked))
    require_fresh_factor(actor)
    moved = _move(locked, actor, State.REVOKED, set(State) - {State.REVOKED}, "agent.revoked", reason)
    User.objects.filter(pk=moved.service_account_id).update(is_active=False)
    return moved


def _move(
    agent: AgentIdentity, actor: User | None, to: str, allowed_from: Collection[str], entry: str, reason: str
) -> AgentIdentity:
    if agent.state not in allowed_from:
        raise StateConflict("wrong_state", f"agent {agent.slug} is {agent.state}, it cannot become {to}")
    before, agent.state, agent.state_changed_at = agent.state, to, timezone.now()
    agent.save(update_fields=["state", "state_changed_at"])
    if to != State.ACTIVE:
        _end_epoch(agent)
    _record(agent, entry, actor, {"before": before}, reason)
    send_after_commit("runs.wake_agent", str(agent.id), queue="critical")
    return agent


def _end_epoch(agent: AgentIdentity) -> None:
    """End all keys, tokens and delegations of an agent: when it acts again, none of them comes back with it."""
    account = agent.service_account
    User.objects.filter(pk=account.pk).update(token_epoch=F("token_epoch") + 1)
    revoke_delegations_of(account=account)


def _lock(agent: AgentIdentity) -> AgentIdentity:
    return (
        AgentIdentity.objects.select_for_update(of=("self",))
        .select_related("team", "owner", "service_account")
        .get(pk=agent.pk)
    )


def _check_owner(owner: User) -> None:
    if not is_known_person(owner):
        raise ValidationFailed("owner_not_a_person", "the owner of an agent is an active person")


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _record(
    agent: AgentIdentity, kind: str, actor: User | None, facts: Mapping[str, object], reason: str = ""
) -> None:
    content = {"reason": reason} if reason else None
    draft = Draft(kind, timezone.now(), dict(facts), content, actor.id if actor else None)
    record(agent.id, "identity", draft)
