"""Key sets of agents and applications: issued, followed by the next generation, revoked."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row
from identities.clients import owner_of, stream_of
from identities.factors import require_fresh_factor
from identities.models import Credential, User
from identities.oauth.client_secrets import hash_secret, new_secret
from identities.oauth.keys import UnusableKey, import_public_jwk
from identities.policies import require
from identities.querysets import CredentialQuerySet
from identities.services.delegations import revoke_delegations_by

Method = Credential.Method
DEFAULT_LIFE = timedelta(days=90)
LONGEST_LIFE = timedelta(days=366)
KEY_ID_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Material:
    """What a generation is made of; `plaintext` is the secret, to be shown once and kept nowhere."""

    method: str
    key_id: str
    fingerprint: str
    public_jwk: Mapping[str, Any] | None = None  # Any: JSON
    plaintext: str = ""


def new_client_secret() -> Material:
    """Return a new secret, and what is kept of it."""
    plaintext = new_secret()
    return Material(Method.CLIENT_SECRET, secrets.token_hex(6), hash_secret(plaintext), plaintext=plaintext)


def client_key(jwk: Mapping[str, Any]) -> Material:  # Any: JSON that somebody sent
    """Return a client's own public key as material; raises ValidationFailed."""
    try:
        key = import_public_jwk(jwk).key
    except UnusableKey as error:
        raise ValidationFailed("unusable_key", str(error)) from error
    key_id = jwk.get("kid", key.thumbprint())
    if not isinstance(key_id, str) or not 0 < len(key_id) <= KEY_ID_LIMIT or not key_id.isprintable():
        raise ValidationFailed("unusable_key", f"kid is a text of at most {KEY_ID_LIMIT} characters")
    public = {**key.as_dict(private=False), "kid": key_id}
    return Material(Method.PRIVATE_KEY_JWT, key_id, key.thumbprint(), public)


def has_key_set(owner: User) -> bool:
    """Return whether there is a generation that the next one would follow."""
    return _current(owner).exists()


@transaction.atomic
def issue_credential(
    *, actor: User, owner: User, material: Material, expires_at: datetime | None = None
) -> Credential:
    """Give a client a key set; raises StateConflict where it has one, which is rotated instead."""
    account = _lock(actor, owner)
    if _current(account).exists():
        raise StateConflict("has_credential", "there is a key set: make its next generation")
    return _add(actor, account, material, expires_at, "credential.issued")


@transaction.atomic
def rotate_credential(
    *, actor: User, owner: User, material: Material, expires_at: datetime | None = None
) -> Credential:
    """Make the next generation. The present one works until the next is used, and for an hour at most."""
    account = _lock(actor, owner)
    if not _current(account).update(superseded_at=timezone.now()):
        raise StateConflict("no_credential", "there is no key set yet: issue one")
    return _add(actor, account, material, expires_at, "credential.rotated")


@transaction.atomic
def revoke_credential(*, actor: User, credential: Credential) -> Credential:
    """Stop a generation at once, and what it was given and passed on. Doing it twice is fine."""
    account = _lock(actor, credential.owner, open_only=False)
    locked = Credential.objects.select_for_update().get(pk=credential.pk)
    if locked.revoked_at is None:
        locked.revoked_at = timezone.now()
        locked.save(update_fields=["revoked_at"])
        _record(account, "credential.revoked", locked, actor)
        revoke_delegations_by(credential=locked)
    return locked


def _lock(actor: User, owner: User, *, open_only: bool = True) -> User:
    """Return the client's account, locked; raises PolicyDenied, ValidationFailed or StateConflict."""
    # One after the other: two rotations at once would make two current generations.
    account = User.objects.select_for_update().get(pk=owner.pk)
    if account.kind == User.Kind.PERSON:
        raise ValidationFailed("not_a_client", "people have no key sets: they sign in")
    identity = owner_of(account)
    require(actor, "identities.add_credential", identity.team, identity)
    require_fresh_factor(actor)
    if open_only and not (account.is_active and identity.state != "revoked"):
        raise StateConflict("account_closed", "this account is closed: it gets no keys")
    return account


def _current(account: User) -> CredentialQuerySet:
    return Credential.objects.filter(owner=account, superseded_at=None, revoked_at=None)


def _add(
    actor: User, account: User, material: Material, expires_at: datetime | None, kind: str
) -> Credential:
    now = timezone.now()
    end = now + DEFAULT_LIFE if expires_at is None else expires_at
    if not now < end <= now + LONGEST_LIFE:
        raise ValidationFailed("invalid_expiry", f"a key set ends within {LONGEST_LIFE.days} days")
    last = Credential.objects.filter(owner=account).aggregate(last=Max("generation"))["last"]
    credential = Credential(
        owner=account,
        generation=(last or 0) + 1,
        method=material.method,
        key_id=material.key_id,
        fingerprint=material.fingerprint,
        public_jwk=material.public_jwk,
        epoch=account.token_epoch,
        expires_at=end,
    )
    insert_row(credential)  # refuses a key that any client has or had
    _record(account, kind, credential, actor)
    return credential


def _record(account: User, kind: str, credential: Credential, actor: User) -> None:
    facts = {
        "credential": str(credential.pk),
        "generation": credential.generation,
        "method": credential.method,
        "expires_at": credential.expires_at.isoformat(),
    }
    stream, stream_kind = stream_of(account)
    record(stream, stream_kind, Draft(kind, timezone.now(), facts, actor=actor.pk))
