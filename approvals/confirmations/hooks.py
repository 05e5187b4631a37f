"""Where applications are told that a user of theirs is asked: set by a person, signed with a secret shown once."""

from __future__ import annotations

import base64
import secrets
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from agentops.errors import NotFound, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.sealed_rows import place_of
from agentops.sealing import seal
from agentops.webhooks import PREFIX
from approvals.models import ConfirmationHook
from identities.factors import require_fresh_factor
from identities.models import Application, User
from identities.policies import require

PERMISSION = "identities.change_application"
SECRET_BYTES = 32
URL_LIMIT = 300


@transaction.atomic
def set_confirmation_hook(
    *, actor: User, application: Application, url: str, allow_private: bool = False
) -> tuple[ConfirmationHook, str]:
    """Set where an application is told what its users are asked; return it with its new secret, shown this once."""
    require(actor, PERMISSION, application.team)
    require_fresh_factor(actor)
    _check_url(url, allow_private=allow_private)
    secret = PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    hook = ConfirmationHook(
        application=application, url=url, allow_private=allow_private, set_by=actor, set_at=timezone.now()
    )
    hook.sealed_secret = seal(secret.encode(), context=place_of(hook, "sealed_secret"))
    hook.save()
    _record(application, actor, "confirmation_hook.set", {"allow_private": allow_private}, {"url": url})
    return hook, secret


@transaction.atomic
def remove_confirmation_hook(*, actor: User, application: Application) -> None:
    """Tell an application nothing more; it can still ask what its users are asked."""
    require(actor, PERMISSION, application.team)
    require_fresh_factor(actor)
    found = ConfirmationHook.objects.select_for_update().filter(application=application).first()
    if found is None:
        raise NotFound("no_hook", "this application is told nothing")
    found.delete()
    _record(application, actor, "confirmation_hook.removed", {}, None)


def _check_url(url: str, *, allow_private: bool) -> None:
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host = False
    schemes = ("https", "http") if allow_private else ("https",)
    if (
        not has_host
        or parts.scheme not in schemes
        or parts.username
        or parts.fragment
        or len(url) > URL_LIMIT
    ):
        raise ValidationFailed(
            "bad_url", f"an address begins with {schemes[0]}:// and names a host, and no user"
        )


def _record(
    application: Application, actor: User, kind: str, facts: dict[str, Any], content: dict[str, Any] | None
) -> None:  # Any: JSON
    record(application.pk, "application", Draft(kind, timezone.now(), facts, content, actor.pk))
