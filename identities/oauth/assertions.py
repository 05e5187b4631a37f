"""Assertions that a client signs about itself (private_key_jwt: RFC 7523, OpenID Connect Core 9)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from identities.models import Credential, UsedIdentifier, User
from identities.oauth.claims import LEEWAY_S, check_audience, check_times, text_of
from identities.oauth.compact import Claims, Parsed, TokenRefused, parse
from identities.oauth.errors import invalid_client
from identities.oauth.keys import import_public_jwk
from identities.oauth.metadata import endpoint_url, issuer
from identities.oauth.spending import spend

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TYPES = frozenset({"", "jwt", "client-authentication+jwt"})
LONGEST_S = 300


def find_asserted(text: str) -> tuple[str, Callable[[User, datetime], Credential]]:
    """Return whom an assertion is about, and how it is proven; raises OAuthError."""
    try:
        parsed = parse(text, types=TYPES)
        client_id = text_of(parsed.claims, "sub")
    except TokenRefused as refusal:
        raise invalid_client(f"assertion_{refusal.reason}") from None
    return client_id, lambda account, now: _prove(account, parsed, now)


def _prove(account: User, parsed: Parsed, now: datetime) -> Credential:
    try:
        credential = _find_key(account, parsed)
        claims = parsed.verify(import_public_jwk(credential.public_jwk or {}))
        _check_claims(claims, account, now)
    except TokenRefused as refusal:
        raise invalid_client(f"assertion_{refusal.reason}", account) from None
    return credential


def _find_key(account: User, parsed: Parsed) -> Credential:
    held = Credential.objects.filter(owner=account, method=Credential.Method.PRIVATE_KEY_JWT)
    found = held.filter(key_id=parsed.header.get("kid", "")).first()
    if found is None:
        raise TokenRefused("unknown_key")
    return found


def _check_claims(claims: Claims, account: User, now: datetime) -> None:
    if claims.get("iss") != account.username:
        raise TokenRefused("issuer")
    check_audience(claims, issuer(), endpoint_url("token"))
    expires = check_times(claims, now.timestamp(), longest_s=LONGEST_S)
    jti = text_of(claims, "jti")
    purpose = UsedIdentifier.Purpose.ASSERTION
    if not spend(purpose, account.username, jti, until_s=expires + LEEWAY_S):
        raise TokenRefused("replayed")
