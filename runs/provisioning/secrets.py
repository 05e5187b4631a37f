"""Secrets that tools name: declared here, and given their values in the console, never in a document."""

from __future__ import annotations

from typing import Any

from agentops.errors import ValidationFailed
from identities.models import Secret
from identities.services import create_secret
from runs.provisioning.session import Session, at


def apply_secrets(session: Session) -> None:
    """Declare secrets; one that is there already must be as the document says, for approvals are bound to it."""
    for slug, entry in session.section("secrets").items():
        with at(f"secrets/{slug}"):
            fields = {name: entry.get(name, {}) for name in ("purpose", "provider", "settings")}
            team = session.team(entry["team"])
            secret = Secret.objects.filter(team=team, slug=slug).first()
            if secret is None:
                secret = create_secret(actor=session.actor, team=team, slug=slug, **fields)
                session.created("secret", slug, fields)
            else:
                _compare(secret, fields)
                session.changed("secret", slug, {})
            if not secret.sealed_value:
                session.notes.append(f"secret {slug} has no value yet: give it one in the console")


def _compare(secret: Secret, fields: dict[str, Any]) -> None:  # Any: JSON
    different = [name for name, wanted in fields.items() if getattr(secret, name) != wanted]
    if different or secret.state == Secret.State.RETIRED:
        what = f"another {' and '.join(different)}" if different else "been retired"
        raise ValidationFailed("secret_differs", f"it has {what}: declare it under another name")
