"""ID tokens: who signed on, and in which groups they are (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

import time
from hmac import compare_digest

from identities.oauth.claims import check_audience, check_times, text_of
from identities.oauth.compact import IGNORED, Claims, TokenRefused, parse, verify
from identities.oauth.issuers import KeySource, find_key
from identities.sso.configuration import Configuration
from identities.sso.provider import ALLOW_PRIVATE, Provider

TYPES = frozenset({"", "jwt", "id_token+jwt"})  # an access token is none
LONGEST_S = 24 * 3600
LONGEST_SUBJECT = 255


def read_id_token(configuration: Configuration, provider: Provider, text: str, nonce: str) -> Claims:
    """Return what the provider says to us, in answer to this nonce; raises TokenRefused."""
    parsed = parse(text, types=TYPES, extra=IGNORED)
    if parsed.header["alg"] not in configuration.algorithms:
        raise TokenRefused("algorithm")
    source = KeySource(configuration.issuer, provider.jwks_uri, ALLOW_PRIVATE)
    claims = verify(parsed, lambda kid: find_key(source, kid))
    _check(claims, configuration, nonce)
    return claims


def _check(claims: Claims, configuration: Configuration, nonce: str) -> None:
    if text_of(claims, "iss") != configuration.issuer:
        raise TokenRefused("issuer")
    check_audience(claims, configuration.client_id)
    if claims.get("azp", configuration.client_id) != configuration.client_id:
        raise TokenRefused("authorized_party")
    check_times(claims, time.time(), longest_s=LONGEST_S)
    if not compare_digest(text_of(claims, "nonce").encode(), nonce.encode()):
        raise TokenRefused("nonce")
    text_of(claims, "sub", LONGEST_SUBJECT)


def groups_of(claims: Claims, name: str) -> frozenset[str]:
    """Return the groups of whoever signed on; raises TokenRefused for anything but a list of texts.

    Some providers leave the claim out where there is no group: that is none.
    """
    listed = claims.get(name, [])
    if not isinstance(listed, list) or not all(isinstance(group, str) for group in listed):
        raise TokenRefused("malformed_groups")
    return frozenset(listed)
