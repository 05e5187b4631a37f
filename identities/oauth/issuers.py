"""Tokens of others: believed if their issuer was configured for the client that presents them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agentops.fresh import kept_for_s
from identities.models import TokenIssuer, User
from identities.oauth.claims import check_audience, check_times, text_of
from identities.oauth.compact import IGNORED, Claims, TokenRefused, VerifyingKey, parse, verify
from identities.oauth.fetching import NotFetched, fetch_json
from identities.oauth.keys import UnusableKey, import_public_jwk

TYPES = frozenset({"", "jwt", "at+jwt", "id_token+jwt"})
LONGEST_S = 24 * 3600  # tokens of others live longer than ours; what comes of one does not
KEPT_S = 600.0
REFETCHED_AFTER_S = 30.0  # whoever sends unknown key ids must not make us fetch as often
MOST_KEYS = 50


@dataclass
class Remembered:
    """The keys of one issuer, as last fetched; `tried_at` also counts when there was no answer."""

    keys: dict[str, VerifyingKey] = field(default_factory=dict)
    fetched_at: float = float("-inf")
    stale_at: float = float(
        "-inf"
    )  # when they are fetched anew; without an answer they stand for `KEPT_S` in all
    tried_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where an issuer's keys are; without an address of theirs, by OpenID Connect discovery."""

    issuer: str
    jwks_url: str
    allow_private: bool


_remembered: dict[KeySource, Remembered] = {}


def read_foreign_token(client: User, text: str) -> Claims:
    """Return the claims of a token that proves to this client who its user is; raises TokenRefused."""
    parsed = parse(text, types=TYPES, extra=IGNORED)
    named = text_of(parsed.claims, "iss")
    row = TokenIssuer.objects.filter(client=client, issuer=named, disabled_at=None).first()
    if row is None:
        raise TokenRefused("unknown_issuer")
    if parsed.header["alg"] not in row.algorithms:
        raise TokenRefused("algorithm")
    source = KeySource(row.issuer, row.jwks_url, row.allow_private)
    claims = verify(parsed, lambda kid: find_key(source, kid))
    # Its audience is how the provider knows the client: one that was meant for another client is spliced in.
    check_audience(claims, row.audience)
    check_times(claims, time.time(), longest_s=LONGEST_S)
    if claims.get("azp", row.audience) != row.audience:
        raise TokenRefused("authorized_party")
    return claims


@dataclass(frozen=True, slots=True)
class ProvenUser:
    """An end user whose token was verified, for the one client that presented it."""

    client_id: UUID
    issuer: str
    subject: str

    def proves(self, client: User, principal: tuple[str, str]) -> bool:
        """Return whether it says to this client that its user is this principal (issuer, subject)."""
        return (self.client_id, self.issuer, self.subject) == (client.pk, *principal)


def prove_user(client: User, text: str) -> ProvenUser:
    """Return whom a token proves to this client; raises TokenRefused. Keys may be fetched: not in a transaction."""
    claims = read_foreign_token(client, text)
    return ProvenUser(client.pk, text_of(claims, "iss"), text_of(claims, "sub"))


def forget_keys() -> None:
    """Fetch all keys anew at their next use."""
    _remembered.clear()


def find_key(source: KeySource, kid: str) -> VerifyingKey | None:
    """Return an issuer's key, fetched where it has to be; raises TokenRefused where it cannot be."""
    held = _remembered.setdefault(source, Remembered())
    with held.lock:
        now = time.monotonic()
        is_needed = kid not in held.keys or now >= held.stale_at
        if is_needed and now - held.tried_at >= REFETCHED_AFTER_S:
            held.tried_at = now
            held.keys, held.fetched_at = _fetch_keys(source), now
            held.stale_at = now + kept_for_s(KEPT_S)
        if now - held.fetched_at > KEPT_S:
            raise TokenRefused("issuer_unreachable")
        return held.keys.get(kid)


def _fetch_keys(source: KeySource) -> dict[str, VerifyingKey]:
    try:
        document = fetch_json(source.jwks_url or _discover(source), allow_private=source.allow_private)
    except NotFetched as error:
        raise TokenRefused(f"issuer_{error.reason}") from None
    listed = document.get("keys")
    return dict(filter(None, map(_read_key, listed[:MOST_KEYS]))) if isinstance(listed, list) else {}


def _read_key(jwk: Any) -> tuple[str, VerifyingKey] | None:  # Any: JSON
    """Return a key by its id; providers publish others too, for purposes and algorithms that are not ours."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        return None
    try:
        return jwk["kid"], import_public_jwk(jwk)
    except UnusableKey:
        return None


def _discover(source: KeySource) -> str:
    """Return where an issuer publishes its keys."""
    jwks_uri = discover(source.issuer, allow_private=source.allow_private).get("jwks_uri")
    if not isinstance(jwks_uri, str):
        raise NotFetched("malformed")
    return jwks_uri


def discover(issuer: str, *, allow_private: bool) -> dict[str, Any]:  # Any: JSON
    """Return what an issuer says of itself (OpenID Connect Discovery 1.0, 4); raises NotFetched."""
    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    document = fetch_json(address, allow_private=allow_private)
    if document.get("issuer") != issuer:
        raise NotFetched("malformed")
    return document
