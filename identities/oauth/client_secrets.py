"""Client secrets: ``aos_…``, of which only a peppered hash is kept, as of API keys."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from identities.models import Credential, User
from identities.oauth.errors import invalid_client
from identities.peppers import peppered_hashes

PREFIX = "aos_"
LONGEST = 200
PEPPER_LABEL = b"agentops.client-secret.v1"


def new_secret() -> str:
    """Return 256 random bits as a text that scanners for secrets recognise."""
    return f"{PREFIX}{secrets.token_urlsafe(32)}"


def hash_secret(secret: str) -> str:
    """Return what is kept of a secret."""
    return next(_hashes(secret))


def find_by_secret(account: User, secret: str) -> Credential:
    """Return the account's generation that this is the secret of; raises OAuthError."""
    if len(secret) <= LONGEST:
        # The hash is looked up, not compared: without the pepper its bytes say nothing, so neither does the time.
        held = Credential.objects.filter(owner=account, method=Credential.Method.CLIENT_SECRET)
        found = held.filter(fingerprint__in=list(_hashes(secret))).first()
        if found is not None:
            return found
    raise invalid_client("wrong_secret", account)


def _hashes(secret: str) -> Iterator[str]:
    return peppered_hashes(secret, PEPPER_LABEL)
