"""Secrets: declared, given a value, given another, retired. What is written down about it is never the value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row
from agentops.sealed_rows import place_of
from agentops.sealing import seal
from identities.factors import require_fresh_factor
from identities.models import Secret, Team, User
from identities.policies import require
from identities.secret_settings import parse_settings

ADD, CHANGE = "identities.add_secret", "identities.change_secret"
SHORTEST_VALUE, LONGEST_VALUE = 8, 16_384  # characters; a shorter one would be found in ordinary text


@sensitive_variables("value")
@transaction.atomic
def create_secret(
    *,
    actor: User,
    team: Team,
    slug: str,
    purpose: str,
    provider: str,
    settings: Mapping[str, Any],  # Any: each provider defines its own
    value: str = "",
    expires_at: datetime | None = None,
) -> Secret:
    """Declare a secret, with its value or without; raises ValidationFailed for settings that do not fit."""
    require(actor, ADD, team)
    require_fresh_factor(actor)
    parse_settings(provider, settings)
    secret = Secret(
        team=team,
        slug=slug,
        purpose=purpose,
        provider=provider,
        settings=dict(settings),
        expires_at=expires_at,
    )
    if value:
        _put(secret, value)
    insert_row(secret)
    facts = {"slug": slug, "team": str(team.id), "provider": provider, "version": secret.version}
    _record(secret, "secret.created", actor, facts)
    return secret


@sensitive_variables("value")
@transaction.atomic
def replace_secret(*, actor: User, secret: Secret, value: str, expires_at: datetime | None = None) -> Secret:
    """Put another value in place of the present one; the next call gets it. Raises StateConflict for a retired one."""
    locked = _lock(secret)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    if locked.state == Secret.State.RETIRED:
        raise StateConflict("secret_retired", f"the secret {locked.slug} is retired")
    _put(locked, value)
    locked.expires_at = expires_at
    locked.save(update_fields=["sealed_value", "version", "rotated_at", "expires_at"])
    _record(locked, "secret.replaced", actor, {"version": locked.version})
    return locked


@transaction.atomic
def retire_secret(*, actor: User, secret: Secret, reason: str = "") -> Secret:
    """Take a secret out of use for good; calls that need it are refused from this commit on."""
    locked = _lock(secret)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    if locked.state == Secret.State.RETIRED:
        raise StateConflict("secret_retired", f"the secret {locked.slug} is retired already")
    locked.state = Secret.State.RETIRED
    locked.save(update_fields=["state"])
    _record(locked, "secret.retired", actor, {"version": locked.version}, reason)
    return locked


@sensitive_variables("value")
def _put(secret: Secret, value: str) -> None:
    if not SHORTEST_VALUE <= len(value) <= LONGEST_VALUE or not value.strip():
        raise ValidationFailed(
            "invalid_value", f"a secret's value has {SHORTEST_VALUE} to {LONGEST_VALUE} characters"
        )
    secret.sealed_value = seal(value.encode(), context=place_of(secret, "sealed_value"))
    secret.version += 1
    secret.rotated_at = timezone.now()


def _lock(secret: Secret) -> Secret:
    return Secret.objects.select_for_update(of=("self",)).select_related("team").get(pk=secret.pk)


def _record(secret: Secret, kind: str, actor: User, facts: Mapping[str, object], reason: str = "") -> None:
    content = {"reason": reason} if reason else None
    record(secret.id, "secret", Draft(kind, timezone.now(), dict(facts), content, actor.id))
