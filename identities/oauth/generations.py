"""Generations of a key set: the next one ends the one before it, and an old one that comes back is a theft.

A copy of a key that was replaced is in somebody's hands for whom it was not meant; nobody can tell whether
that is who presents it, so the whole identity is locked until a person has looked.
"""

from __future__ import annotations

from datetime import datetime

from identities.models import Credential, User
from identities.oauth.errors import invalid_client
from identities.services.locking import lock_identity


def use_generation(credential: Credential, account: User, now: datetime) -> None:
    """Let a proven credential authenticate; raises OAuthError, and locks the identity for an old generation."""
    if credential.revoked_at is not None:
        raise invalid_client("revoked_credential")
    if credential.epoch != account.token_epoch:
        raise invalid_client("earlier_epoch")
    state = credential.state(now)
    if state == "old":
        lock_identity(account=account, credential=credential)
        raise invalid_client("old_generation")
    if credential.expires_at <= now:
        raise invalid_client("expired_credential")
    if credential.first_used_at is None:
        Credential.objects.filter(pk=credential.pk, first_used_at=None).update(first_used_at=now)
