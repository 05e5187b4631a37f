"""Who may govern: deny by default, every answer with its reason.

These are the rules for people who set things up. A superuser passes them; approvals are decided by other
rules, which no superuser passes by rank.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models
from guardian.shortcuts import get_perms

from agentops.errors import PolicyDenied
from agentops.look_once import look_once
from identities.models import AgentIdentity, Team, User
from identities.querysets import is_known_person

THROW = "identities.throw_killswitch"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether somebody may, and why."""

    allowed: bool
    reasons: tuple[str, ...]


def may_govern(
    actor: User, permission: str, team: Team | None, subject: models.Model | None = None
) -> Decision:
    """Decide by team membership and ``permission`` ("app.codename", held for all or on ``subject``)."""
    if not is_known_person(actor):
        return Decision(False, ("only an active person's account may govern",))
    if actor.is_superuser:
        return Decision(True, ("superuser",))
    if team is None:
        return Decision(False, ("this is not any team's own: only a superuser may",))
    if not look_once(("member", team.pk, actor.pk), team.members.filter(pk=actor.pk).exists):
        return Decision(False, (f"not a member of team {team.slug}",))
    if actor.has_perm(permission) or (subject is not None and _holds_on(actor, permission, subject)):
        return Decision(True, (f"has {permission} in team {team.slug}",))
    return Decision(
        False, (f"that takes the right {permission} in team {team.slug}, which a superuser gives",)
    )


def _holds_on(actor: User, permission: str, subject: models.Model) -> bool:
    """Ask for the row about one object, as guardian does for an active account; it knows those of the same app only."""
    app, _, codename = permission.partition(".")
    if app != subject._meta.app_label:
        return False
    key = ("permissions", subject._meta.label, subject.pk, actor.pk)
    return codename in look_once(key, lambda: get_perms(actor, subject))


def may_stop_agent(actor: User, agent: AgentIdentity) -> Decision:
    """Decide who may suspend or revoke an agent: its owner and sponsor, besides those who may operate it."""
    if is_known_person(actor) and agent.owner_id == actor.pk:
        return Decision(True, ("owns the agent",))
    if is_known_person(actor) and agent.sponsor_id == actor.pk:
        return Decision(True, ("is the agent's sponsor",))
    return may_govern(actor, "identities.operate_agent", agent.team, agent)


def may_recertify(actor: User, agent: AgentIdentity) -> Decision:
    """Decide who may say that an agent is still wanted: its sponsor or who operates it, its owner never."""
    if agent.owner_id == actor.pk:
        return Decision(False, ("the owner of an agent does not recertify it",))
    if is_known_person(actor) and agent.sponsor_id == actor.pk:
        return Decision(True, ("is the agent's sponsor",))
    return may_govern(actor, "identities.operate_agent", agent.team, agent)


def may_throw_switch(actor: User, team: Team | None) -> Decision:
    """Decide who may throw a kill switch and lift it: for an end user those of the team, for all those appointed."""
    if team is not None:
        return may_govern(actor, THROW, team)
    if is_known_person(actor) and actor.has_perm(THROW):
        return Decision(True, (f"has {THROW}",))
    return Decision(False, (f"that takes the right {THROW}, which a superuser gives",))


def enforce(decision: Decision) -> None:
    """Raise PolicyDenied unless allowed."""
    if not decision.allowed:
        raise PolicyDenied("not_permitted", "; ".join(decision.reasons), reasons=decision.reasons)


def require(actor: User, permission: str, team: Team | None, subject: models.Model | None = None) -> None:
    """Raise PolicyDenied unless ``actor`` may govern."""
    enforce(may_govern(actor, permission, team, subject))
