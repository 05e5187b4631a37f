"""A secret of the cast's team, and what must never be seen of it."""

from __future__ import annotations

from typing import Any

from agentops.sealed_rows import place_of
from agentops.sealing import unseal
from identities.models import Secret
from identities.services import create_secret
from tests.cast import Cast

VALUE = "canary-4f1d-of-a-secret"


def make_secret(cast: Cast, **changes: Any) -> Secret:  # Any: fields of whatever type
    """Create one through the service, as Alice."""
    usual: dict[str, Any] = {
        "slug": "shop-key",
        "purpose": "Calls the shop.",
        "provider": "static",
        "settings": {},
    }
    return create_secret(actor=cast.alice, team=cast.team, **{**usual, "value": VALUE, **changes})


def value_of(secret: Secret) -> str:
    """Return what is sealed, as the row stands now."""
    secret.refresh_from_db()
    return unseal(secret.sealed_value, context=place_of(secret, "sealed_value")).decode()
