"""Applications: clients of the API that start runs for their users."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from agentops.rows import Changes, insert_row, update_row
from identities.changes import SecondPersonNeeded, clear_change
from identities.changes.trust import describe_trust
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, AgentIdentityUserObjectPermission, Application, Team, User
from identities.policies import require
from identities.services.delegations import revoke_delegations_of

CHANGE = "identities.change_application"
RESOURCE = re.compile(r"https?://[^\s?#@]{1,190}")  # RFC 8707, 2: an absolute URI without a fragment


@transaction.atomic
def create_application(
    *, actor: User, team: Team, slug: str, name: str, may_assert_users: bool = False
) -> Application:
    """Create an application with its service account; it may start nothing yet.

    Raises PolicyDenied where it takes a second person that it may name users: that is proposed once it is there.
    """
    require(actor, "identities.add_application", team)
    account = User(username=f"application.{slug}", kind=User.Kind.APPLICATION)
    account.set_unusable_password()
    application = Application(team=team, slug=slug, name=name, service_account=account)
    insert_row(account)
    insert_row(application)
    facts = {"slug": slug, "team": str(team.id), "may_assert_users": False}
    _record(application, "application.created", actor, facts)
    if may_assert_users:
        _trust_new(actor, application)
    return application


def _trust_new(actor: User, application: Application) -> None:
    try:
        _say(actor, application, application.name, may_assert_users=True)
    except SecondPersonNeeded as needed:
        # A proposal would name an application that this refusal takes away.
        detail = "that it may name users takes a second person: make it without, then propose that"
        raise PolicyDenied(needed.code, detail) from needed


@transaction.atomic
def update_application(
    *, actor: User, application: Application, name: str, may_assert_users: bool
) -> Changes:
    """Change an application's name, or whether it is trusted to say for whom it acts; return what changed.

    Raises SecondPersonNeeded where it is to be trusted and that takes two.
    """
    locked = _lock(application)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    return _say(actor, locked, name, may_assert_users=may_assert_users)


def _say(actor: User, locked: Application, name: str, *, may_assert_users: bool) -> Changes:
    signed: dict[str, str] = {}
    if may_assert_users != locked.may_assert_users:
        signed = clear_change(actor, describe_trust(locked, name, trusted=may_assert_users))
    changes = update_row(locked, {"name": name, "may_assert_users": may_assert_users})
    if changes:
        facts = {"fields": sorted(changes), "may_assert_users": may_assert_users, **signed}
        _record(locked, "application.updated", actor, facts)
    return changes


@transaction.atomic
def declare_resource(*, actor: User, application: Application, audience: str | None) -> Changes:
    """Say which resource an application serves: it sees the tokens for that audience; return what changed.

    Raises ValidationFailed for what is no address, StateConflict for another application's audience.
    """
    locked = _lock(application)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    if audience is not None and not RESOURCE.fullmatch(audience):
        raise ValidationFailed("invalid_audience", "an audience is an address without query and fragment")
    if audience is not None and settings.PUBLIC_URL and audience.startswith(settings.PUBLIC_URL):
        raise ValidationFailed("invalid_audience", "this installation's own addresses are nobody else's")
    if Application.objects.filter(audience=audience).exclude(pk=locked.pk).exclude(audience=None).exists():
        raise StateConflict("audience_taken", "another application serves this audience")
    changes = update_row(locked, {"audience": audience})
    if changes:
        _record(locked, "application.resource_declared", actor, {"audience": audience})
    return changes


@transaction.atomic
def revoke_application(
    *, actor: User, application: Application, reason: str = "", emergency: bool = False
) -> Application:
    """Close an application for good: its keys stop working with this commit. An emergency asks for no fresh factor."""
    locked = _lock(application)
    require(actor, CHANGE, locked.team, locked)
    if not emergency:
        require_fresh_factor(actor)
    if locked.state == Application.State.REVOKED:
        raise StateConflict("application_revoked", f"application {locked.slug} is revoked already")
    locked.state = Application.State.REVOKED
    locked.save(update_fields=["state"])
    User.objects.filter(pk=locked.service_account_id).update(
        is_active=False, token_epoch=F("token_epoch") + 1
    )
    revoke_delegations_of(account=locked.service_account)
    content = {"reason": reason} if reason else None
    draft = Draft("application.revoked", timezone.now(), content=content, actor=actor.id)
    record(locked.id, "application", draft)
    send_after_commit("runs.wake_application", str(locked.id), queue="critical")
    return locked


@transaction.atomic
def allow_start(*, actor: User, application: Application, agent: AgentIdentity) -> bool:
    """Let an application start an agent's runs; return whether that is new.

    Raises ValidationFailed across teams, StateConflict for a revoked application.
    """
    locked = _lock(application)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    if locked.team_id != agent.team_id:
        raise ValidationFailed("another_team", "an application starts agents of its own team only")
    if locked.state == Application.State.REVOKED:
        raise StateConflict("application_revoked", f"application {locked.slug} is revoked")
    if may_start(locked, agent):
        return False
    assign_perm("start_run", locked.service_account, agent)
    _record(locked, "application.start_allowed", actor, {"agent": str(agent.id)})
    return True


@transaction.atomic
def forbid_start(*, actor: User, application: Application, agent: AgentIdentity) -> bool:
    """Take that right away again; return whether it was there."""
    locked = _lock(application)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    if not may_start(locked, agent):
        return False
    remove_perm("start_run", locked.service_account, agent)
    _record(locked, "application.start_forbidden", actor, {"agent": str(agent.id)})
    return True


def may_start(application: Application, agent: AgentIdentity) -> bool:
    """Return whether the application was given the right to start this agent's runs."""
    return AgentIdentityUserObjectPermission.objects.filter(
        user=application.service_account_id, content_object=agent, permission__codename="start_run"
    ).exists()


def _lock(application: Application) -> Application:
    return (
        Application.objects.select_for_update(of=("self",))
        .select_related("team", "service_account")
        .get(pk=application.pk)
    )


def _record(application: Application, kind: str, actor: User, facts: Mapping[str, object]) -> None:
    record(application.id, "application", Draft(kind, timezone.now(), dict(facts), actor=actor.id))
