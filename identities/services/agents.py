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
from identities.changes import clear_change
from identities.changes.activation import OPERATE, describe_activation
from identities.changes.ownership import CHANGE, describe_hand_over
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
    sponsor: User | None = None,
    recertify_by: datetime | None = None,
) -> AgentIdentity:
    """Create an agent in draft, with the service account that its permissions are given to.

    It acts until ``expires_at`` or ``recertify_by``, whichever comes first.
    """
    require(actor, "identities.add_agentidentity", team)
    check_people(owner, sponsor)
    account = User(username=f"agent.{slug}", kind=User.Kind.AGENT)
    account.set_unusable_password()
    agent = AgentIdentity(
        team=team,
        slug=slug,
        name=name,
        purpose=purpose,
        owner=owner,
        sponsor=sponsor,
        service_account=account,
        ends_at=expires_at,
        recertify_by=recertify_by,
        expires_at=first_end(expires_at, recertify_by),
    )
    insert_row(account)
    insert_row(agent)
    facts = {"slug": slug, "team": str(team.id), "service_account": str(account.id), **_people(agent)}
    _record(agent, "agent.created", actor, facts)
    return agent


@transaction.atomic
def update_agent(
    *,
    actor: User,
    agent: AgentIdentity,
    name: str,
    purpose: str,
    owner: User,
    expires_at: datetime | None,
    sponsor: User | None = None,
    recertify_by: datetime | None = None,
    exposed: bool | None = None,
) -> Changes:
    """Change what is said about an agent; return what changed.

    Raises StateConflict once it is revoked, SecondPersonNeeded for another owner while the present one is there.
    Without a ``sponsor`` or ``recertify_by`` they stay: an agent is not rid of them again. A date that is set
    may come sooner; that it comes later is for ``recertify_agent``. ``exposed``: whether agents of others may find
    it, None where that stays; who may start it is said elsewhere.
    """
    locked = lock_agent(agent)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    if locked.state == State.REVOKED:
        raise StateConflict("agent_revoked", f"agent {locked.slug} is revoked for good")
    sponsor, recertify_by = sponsor or locked.sponsor, recertify_by or locked.recertify_by
    if owner.pk != locked.owner_id or sponsor != locked.sponsor:
        check_people(owner, sponsor)
    if locked.recertify_by is not None and (recertify_by is None or recertify_by > locked.recertify_by):
        raise StateConflict("recertification_due", "a later date takes somebody who recertifies the agent")
    values: dict[str, object] = {"name": name, "purpose": purpose, "owner": owner, "sponsor": sponsor}
    values["exposed"] = locked.exposed if exposed is None else exposed
    cleared: Mapping[str, str] = {}
    if owner.pk != locked.owner_id:
        cleared = clear_change(actor, describe_hand_over(locked, {**values, "ends_at": expires_at}))
    # The ends first: with the owner, the row has to be all that was signed.
    changes = set_ends(locked, expires_at, recertify_by)
    changes = update_row(locked, values) | changes
    if changes:
        facts = {
            "fields": sorted(changes),
            "expires_at": _text(locked.expires_at),
            "exposed": locked.exposed,
            **_people(locked),
            **cleared,
        }
        _record(locked, "agent.updated", actor, facts)
    return changes


@transaction.atomic
def activate_agent(*, actor: User, agent: AgentIdentity) -> AgentIdentity:
    """Let an agent act, for the first time or again; runs that waited for it go on.

    Raises StateConflict for a revoked or expired agent, ValidationFailed while its owner or sponsor is no
    active person, or when what it would do lacks a guardrail, SecondPersonNeeded where a rule says so.
    """
    locked = lock_agent(agent)
    enforce(may_govern(actor, OPERATE, locked.team, locked))
    require_fresh_factor(actor)
    check_people(locked.owner, locked.sponsor)
    if locked.recertify_by is not None and locked.recertify_by <= timezone.now():
        raise StateConflict("recertification_due", f"agent {locked.slug} has to be recertified first")
    if locked.expires_at is not None and locked.expires_at <= timezone.now():
        raise StateConflict("agent_expired", f"agent {locked.slug} has expired: set a later end first")
    moved = _move(locked, actor, State.ACTIVE, {State.DRAFT, State.SUSPENDED}, "agent.activated", "")
    check_activation(moved)  # looks at an agent that may act; a refusal takes all of this back
    return moved


@transaction.atomic
def suspend_agent(*, actor: User, agent: AgentIdentity, reason: str = "") -> AgentIdentity:
    """Stop an agent until somebody activates it again."""
    locked = lock_agent(agent)
    enforce(may_stop_agent(actor, locked))
    return _move(locked, actor, State.SUSPENDED, {State.ACTIVE}, "agent.suspended", reason)


@transaction.atomic
def suspend_locked_agent(*, agent: AgentIdentity) -> AgentIdentity:
    """Suspend an agent that a lock stops, of which nobody is the actor; one that is stopped already stays so."""
    locked = lock_agent(agent)
    if locked.state != State.ACTIVE:
        return locked
    return _move(locked, None, State.SUSPENDED, {State.ACTIVE}, "agent.suspended", "Its keys were misused.")


@transaction.atomic
def suspend_unlooked_at_agent(*, agent: AgentIdentity) -> AgentIdentity:
    """Suspend an agent that nobody recertified in time, of which nobody is the actor; any other stays as it is."""
    locked = lock_agent(agent)
    due = locked.recertify_by
    if locked.state != State.ACTIVE or due is None or due > timezone.now():
        return locked
    why = f"Nobody recertified it by {due:%Y-%m-%d}."
    return _move(locked, None, State.SUSPENDED, {State.ACTIVE}, "agent.suspended", why)


@transaction.atomic
def revoke_agent(*, actor: User, agent: AgentIdentity, reason: str = "") -> AgentIdentity:
    """Stop an agent for good; its service account is closed with it."""
    locked = lock_agent(agent)
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
    cleared = clear_change(actor, describe_activation(agent)) if actor and to == State.ACTIVE else {}
    before, agent.state, agent.state_changed_at = agent.state, to, timezone.now()
    agent.save(update_fields=["state", "state_changed_at"])
    if to != State.ACTIVE:
        _end_epoch(agent)
    _record(agent, entry, actor, {"before": before, **cleared}, reason)
    send_after_commit("runs.wake_agent", str(agent.id), queue="critical")
    return agent


def _end_epoch(agent: AgentIdentity) -> None:
    """End all keys, tokens and delegations of an agent: when it acts again, none of them comes back with it."""
    account = agent.service_account
    User.objects.filter(pk=account.pk).update(token_epoch=F("token_epoch") + 1)
    revoke_delegations_of(account=account)


def set_ends(agent: AgentIdentity, end: datetime | None, recertify_by: datetime | None) -> Changes:
    """Set until when a locked agent acts; return what changed of what people said."""
    now, until = timezone.now(), first_end(end, recertify_by)
    if until != agent.expires_at and agent.expires_at is not None and agent.expires_at <= now:
        _rest(agent)
    changes = update_row(agent, {"ends_at": end, "recertify_by": recertify_by, "expires_at": until})
    # People speak of the end that they set; what follows from it is not a change of its own.
    told = {"ends_at": "expires_at", "recertify_by": "recertify_by"}
    return {told[name]: pair for name, pair in changes.items() if name in told}


def _rest(agent: AgentIdentity) -> None:
    """Stop an agent whose time is over: a later end does not let it act, somebody who may activates it."""
    if agent.state == State.ACTIVE:
        _move(agent, None, State.SUSPENDED, {State.ACTIVE}, "agent.suspended", "Its time was over.")
    else:
        _end_epoch(agent)


def first_end(*ends: datetime | None) -> datetime | None:
    """Return the end that comes first, None where there is none."""
    return min((end for end in ends if end is not None), default=None)


def lock_agent(agent: AgentIdentity) -> AgentIdentity:
    """Return the row, locked, with those who are behind it."""
    return (
        AgentIdentity.objects.select_for_update(of=("self",))
        .select_related("team", "owner", "sponsor", "service_account")
        .get(pk=agent.pk)
    )


def check_people(owner: User, sponsor: User | None) -> None:
    """Raise ValidationFailed unless owner and sponsor are two active people, where there is a sponsor."""
    if not is_known_person(owner):
        raise ValidationFailed("owner_not_a_person", "the owner of an agent is an active person")
    if sponsor is not None and not is_known_person(sponsor):
        raise ValidationFailed("sponsor_not_a_person", "the sponsor of an agent is an active person")
    if sponsor is not None and sponsor.pk == owner.pk:
        raise ValidationFailed("sponsor_is_owner", "the sponsor of an agent is another person than its owner")


def _people(agent: AgentIdentity) -> dict[str, str | None]:
    return {
        "owner": str(agent.owner_id),
        "sponsor": str(agent.sponsor_id) if agent.sponsor_id else None,
        "recertify_by": _text(agent.recertify_by),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _record(
    agent: AgentIdentity, kind: str, actor: User | None, facts: Mapping[str, object], reason: str = ""
) -> None:
    content = {"reason": reason} if reason else None
    draft = Draft(kind, timezone.now(), dict(facts), content, actor.id if actor else None)
    record(agent.id, "identity", draft)
