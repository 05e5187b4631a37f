"""The installation's signing keys: made, followed by the next one, taken back."""

from __future__ import annotations

import json
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone
from joserfc.jwk import ECKey, RSAKey

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row
from agentops.sealing import seal
from identities.factors import require_fresh_factor
from identities.models import SigningKey, User
from identities.oauth.signing_keys import PUBLISHED_AHEAD, keeper, sealing_context
from identities.policies import require

Algorithm = SigningKey.Algorithm
RSA_BITS = 3072
ONE_AT_A_TIME = 7_215_093_346_120_911  # an advisory lock: two first tokens must not make two first keys


@transaction.atomic
def rotate_signing_key(*, actor: User, algorithm: str = Algorithm.ES256) -> SigningKey:
    """Make the next key. It is published now and signs once everybody has had the time to fetch it."""
    require(actor, "identities.add_signingkey", None)
    require_fresh_factor(actor)
    _take_turns()
    now = timezone.now()
    standing = SigningKey.objects.filter(revoked_at=None)
    if standing.filter(signs_from__gt=now).exists():
        raise StateConflict("key_waiting", "there is a next key already: it has not begun to sign")
    return _make(algorithm, now + PUBLISHED_AHEAD if standing.exists() else now, actor)


@transaction.atomic
def revoke_signing_key(*, actor: User, key: SigningKey, reason: str = "") -> SigningKey:
    """Take a key back: what it signed counts no more, and where it was the last one a new one signs at once."""
    require(actor, "identities.change_signingkey", None)
    require_fresh_factor(actor)
    _take_turns()
    locked = SigningKey.objects.select_for_update().get(pk=key.pk)
    if locked.revoked_at is not None:
        raise StateConflict("key_revoked", "this key is revoked already")
    locked.revoked_at = timezone.now()
    locked.save(update_fields=["revoked_at"])
    content = {"reason": reason} if reason else None
    record(locked.pk, "signing_key", Draft("signing_key.revoked", locked.revoked_at, {}, content, actor.pk))
    if not SigningKey.objects.filter(revoked_at=None, signs_from__lte=locked.revoked_at).exists():
        _make(locked.algorithm, locked.revoked_at, actor)
    _forget()
    return locked


@transaction.atomic
def ensure_signing_key() -> None:
    """Make the first key of an installation, which nobody asked for by name: the first token did."""
    _take_turns()
    if not SigningKey.objects.filter(revoked_at=None, signs_from__lte=timezone.now()).exists():
        _make(Algorithm.ES256, timezone.now(), None)


def _make(algorithm: str, signs_from: datetime, actor: User | None) -> SigningKey:
    if algorithm not in Algorithm:
        raise ValidationFailed("unknown_algorithm", f"keys sign {' or '.join(Algorithm)}")
    pair = ECKey.generate_key("P-256") if algorithm == Algorithm.ES256 else RSAKey.generate_key(RSA_BITS)
    kid = pair.thumbprint()
    private = json.dumps(pair.as_dict(private=True)).encode()
    key = SigningKey(
        kid=kid,
        algorithm=algorithm,
        public_jwk=pair.as_dict(private=False),
        sealed_private_jwk=seal(private, context=sealing_context(kid)),
        signs_from=signs_from,
    )
    insert_row(key)
    facts = {"kid": kid, "algorithm": algorithm, "signs_from": signs_from.isoformat()}
    draft = Draft("signing_key.made", timezone.now(), facts, actor=actor.pk if actor else None)
    record(key.pk, "signing_key", draft)
    _forget()
    return key


def _forget() -> None:
    keeper.forget()
    transaction.on_commit(keeper.forget)  # again: another thread may have asked before the commit


def _take_turns() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (ONE_AT_A_TIME,))
