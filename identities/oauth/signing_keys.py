"""The keys that this installation signs with: which one signs now, which are published.

A process keeps them for seconds, so that minting asks no database, and a revoked key is soon noticed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from agentops.canonical import canonical_json
from agentops.database import orm_section
from agentops.sealing import unseal
from identities.models import SigningKey
from identities.oauth.compact import VerifyingKey
from identities.oauth.keys import import_public_jwk

KEPT_S = 2.0
JWKS_KEPT_S = 300  # by those who verify, as the answer tells them
# Published twice as long as others keep what they fetched, before it signs anything.
PUBLISHED_AHEAD = timedelta(seconds=2 * JWKS_KEPT_S)
# The longest life of a token, and the leeway of whoever verifies it.
PUBLISHED_AFTER = timedelta(minutes=6)


class NoSigningKey(Exception):
    """Nothing can be signed."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys at one moment."""

    signing: SigningKey | None
    published: tuple[SigningKey, ...]
    verifying: dict[str, VerifyingKey]


def arrange(keys: Iterable[SigningKey], now: datetime) -> KeyRing:
    """Return who signs at that moment and who is published, given the keys that are not revoked."""
    ordered = sorted(keys, key=lambda key: key.signs_from)
    started = [key for key in ordered if key.signs_from <= now]
    coming = ordered[len(started) :]
    # A key signs until the next one starts, and is published until its last token has ended.
    ends = [later.signs_from for later in started[1:]]
    recent = [key for key, end in zip(started, ends, strict=False) if end + PUBLISHED_AFTER > now]
    published = (*recent, *started[-1:], *coming)
    verifying = {key.kid: import_public_jwk(key.public_jwk) for key in published}
    return KeyRing(started[-1] if started else None, published, verifying)


@dataclass
class Keeper:
    """What this process remembers."""

    ring: KeyRing | None = None
    read_at: float = 0.0
    private: dict[str, ECKey | RSAKey] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def present(self) -> KeyRing:
        """Return the keys, at most `KEPT_S` old."""
        ring = self.ring
        if ring is None or time.monotonic() - self.read_at >= KEPT_S:
            ring = self.read()
        return ring

    def read(self) -> KeyRing:
        """Return the keys as the database has them now."""
        asked_at = time.monotonic()
        with orm_section():  # a thread of a worker keeps no connection
            ring = arrange(SigningKey.objects.filter(revoked_at=None), timezone.now())
        with self.lock:
            self.ring, self.read_at = ring, asked_at
            self.private = {kid: key for kid, key in self.private.items() if kid in ring.verifying}
        return ring

    def forget(self) -> None:
        """Ask the database at the next use."""
        self.ring = None

    def unsealed(self, key: SigningKey) -> ECKey | RSAKey:
        """Return the private half, unsealed once per process."""
        if key.kid not in self.private:
            raw = json.loads(unseal(key.sealed_private_jwk, context=sealing_context(key.kid)))
            self.private[key.kid] = ECKey.import_key(raw) if raw["kty"] == "EC" else RSAKey.import_key(raw)
        return self.private[key.kid]


keeper = Keeper()


def sealing_context(kid: str) -> str:
    """Return what a private key is sealed for: moved to another row, it opens nothing."""
    return f"identities.signing_key:{kid}"


def sign(claims: dict[str, Any], typ: str) -> str:  # Any: JSON
    """Return a compact JWS of the claims; raises NoSigningKey."""
    return sign_payload(canonical_json(claims), {"typ": typ})


def sign_payload(payload: bytes, named: dict[str, str]) -> str:
    """Return a compact JWS of a payload, whose header has these members beside its own; raises NoSigningKey."""
    key = keeper.present().signing
    if key is None:
        raise NoSigningKey
    header = {"alg": key.algorithm, "kid": key.kid, **named}
    return jws.serialize_compact(header, payload, keeper.unsealed(key), algorithms=[key.algorithm])


def find_verifying_key(kid: str) -> VerifyingKey | None:
    """Return a published key by its id; one that is not known yet is looked up in the database."""
    found = keeper.present().verifying.get(kid)
    return found or keeper.read().verifying.get(kid)


def published_jwks() -> list[dict[str, Any]]:  # Any: JSON
    """Return the public keys as they are published."""
    return [
        {**key.public_jwk, "kid": key.kid, "alg": key.algorithm, "use": "sig"}
        for key in keeper.present().published
    ]
