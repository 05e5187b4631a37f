"""How a provider's answer can be wrong: each spoils the provider before the person goes there."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agentops.canonical import canonical_json
from tests.oauth.clients import encode, key_pair, sign
from tests.sso.provider import CLIENT_ID, SECRET_WORDS, Form, IdentityProvider

NOW = int(time.time())


@dataclass(frozen=True)
class BadAnswer:
    """What is wrong, and the reason in the ledger."""

    name: str
    reason: str
    spoil: Callable[[IdentityProvider], object]


def says(**claims: Any) -> Callable[[IdentityProvider], object]:
    """Say this; None leaves a claim out."""
    return lambda provider: provider.claims.update(claims)


def answers(status: int, content: Any) -> Callable[[IdentityProvider], object]:
    """Answer this instead at the token endpoint."""
    return lambda provider: setattr(provider, "instead", (status, content))


def gives(token: Any) -> Callable[[IdentityProvider], object]:
    """Give this for an ID token."""
    return lambda provider: setattr(provider, "id_token", token)


def heads(**header: Any) -> Callable[[IdentityProvider], object]:
    """Sign with this header."""
    return lambda provider: setattr(provider, "header", header)


def names(**addresses: Any) -> Callable[[IdentityProvider], object]:
    """Say this of itself."""
    return lambda provider: provider.metadata.update(addresses)


def unsigned(provider: IdentityProvider) -> None:
    def make(asked: Form) -> str:
        return f"{part({'alg': 'none'})}.{part(provider.said(asked, provider.claims))}."

    provider.id_token = make


def unsigned_with_a_signature(provider: IdentityProvider) -> None:
    provider.id_token = lambda asked: (
        f"{part({'alg': 'none', 'kid': 'provider'})}.{part(provider.said(asked, provider.claims))}.{encode(b'x')}"
    )


def signed_with_what_is_public(provider: IdentityProvider) -> None:
    """HS256, whose key is the text of the public one."""

    def make(asked: Form) -> str:
        head = part({"alg": "HS256", "kid": "provider"})
        signed = f"{head}.{part(provider.said(asked, provider.claims))}"
        key = canonical_json(provider.key.as_dict(private=False))
        return f"{signed}.{encode(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"

    provider.id_token = make


def signed_by_another(provider: IdentityProvider) -> None:
    provider.key = key_pair("somebody else")
    provider.header = {"kid": "provider"}


def tampered_with(provider: IdentityProvider) -> None:
    def make(asked: Form) -> str:
        head, _, signature = sign(provider.said(asked, provider.claims), provider.key).split(".")
        return f"{head}.{part(provider.said(asked, {**provider.claims, 'groups': ['owners']}))}.{signature}"

    provider.id_token = make


def signed_another_way(provider: IdentityProvider) -> None:
    """By a key that it publishes, and an algorithm that is not among ours."""
    provider.key, provider.alg = key_pair("provider-okp", "OKP"), "EdDSA"
    provider.jwks = (200, {"keys": [provider.key.as_dict(private=False)]})


def of_another_sign_on(provider: IdentityProvider) -> None:
    """An ID token that is genuine, and was for somebody else's browser."""
    provider.id_token = sign(provider.said({"nonce": "n" * 43}, provider.claims), provider.key)


def part(value: object) -> str:
    return encode(canonical_json(value))


TABLE = [
    BadAnswer("another issuer", "issuer", says(iss="https://evil.example")),
    BadAnswer("issuer with a slash more", "issuer", lambda p: p.claims.update(iss=f"{p.address}/")),
    BadAnswer("no issuer", "no_iss", says(iss=None)),
    BadAnswer("for another client", "audience", says(aud="another")),
    BadAnswer("for several clients", "several_audiences", says(aud=[CLIENT_ID, "another"], azp=CLIENT_ID)),
    BadAnswer("for nobody", "no_audience", says(aud=None)),
    BadAnswer("authorized party", "authorized_party", says(azp="another")),
    BadAnswer("authorized party of a wrong type", "authorized_party", says(azp=[CLIENT_ID])),
    BadAnswer("expired", "expired", says(exp=NOW - 1)),
    BadAnswer("without an end", "no_expiry", says(exp=None)),
    BadAnswer("end of a wrong type", "malformed_time", says(exp="tomorrow")),
    BadAnswer("for years", "lives_too_long", says(exp=NOW + 10**8)),
    BadAnswer("not yet valid", "not_yet_valid", says(nbf=NOW + 10**7)),
    BadAnswer("from the future", "not_yet_valid", says(iat=NOW + 10**7)),
    BadAnswer("another nonce", "nonce", says(nonce="n" * 43)),
    BadAnswer("no nonce", "no_nonce", says(nonce=None)),
    BadAnswer("of another sign-on", "nonce", of_another_sign_on),
    BadAnswer("no subject", "no_sub", says(sub=None)),
    BadAnswer("subject of a wrong type", "no_sub", says(sub=17)),
    BadAnswer("endless subject", "no_sub", says(sub="x" * 256)),
    BadAnswer("no groups", "no_role", says(groups=None)),
    BadAnswer("groups that mean nothing here", "no_role", says(groups=["Operators", "operators "])),
    BadAnswer("groups in one text", "malformed_groups", says(groups="operators")),
    BadAnswer("groups by name", "malformed_groups", says(groups={"operators": True})),
    BadAnswer("groups that are no texts", "malformed_groups", says(groups=["operators", 17])),
    BadAnswer("oversized", "oversized", says(groups=["operators", *["x" * 100] * 200])),
    BadAnswer("alg none", "malformed", unsigned),
    BadAnswer("alg none with a signature", "algorithm", unsigned_with_a_signature),
    BadAnswer("HS256 with the public key", "algorithm", signed_with_what_is_public),
    BadAnswer("an algorithm that is not ours", "algorithm", signed_another_way),
    BadAnswer("unknown kid", "unknown_key", heads(kid="another")),
    BadAnswer("no kid", "unknown_key", heads(kid=None)),
    BadAnswer("signed by another", "signature", signed_by_another),
    BadAnswer("tampered with", "signature", tampered_with),
    BadAnswer("brings its key", "header", heads(jwk=key_pair("provider").as_dict(private=False))),
    BadAnswer("critical header", "header", heads(crit=["b64"], b64=False)),
    BadAnswer("an access token", "type", heads(typ="at+jwt")),
    BadAnswer("no token at all", "malformed", gives("no token")),
    BadAnswer("no ID token", "no_id_token", answers(200, {"access_token": "opaque"})),
    BadAnswer("ID token of a wrong type", "no_id_token", gives({"sub": "paula-1"})),
    BadAnswer("refused code", "code_refused", answers(400, {"error": "invalid_grant"})),
    BadAnswer("broken provider", "code_refused", answers(500, SECRET_WORDS)),
    BadAnswer("redirect", "code_refused", answers(302, "http://127.0.0.1:1/")),
    BadAnswer("junk", "provider_malformed", answers(200, b"\xff<html>" + SECRET_WORDS.encode())),
    BadAnswer("a list", "provider_malformed", answers(200, [])),
    BadAnswer("endless", "provider_too_large", answers(200, b" " * 300_000)),
    BadAnswer("provider down", "provider_unreachable", names(token_endpoint="http://127.0.0.1:1/token")),
    BadAnswer("provider inside", "provider_private_address", names(token_endpoint="https://10.0.0.1/token")),
    BadAnswer("keys inside", "issuer_private_address", names(jwks_uri="https://169.254.169.254/keys")),
    BadAnswer("no keys", "issuer_status", lambda p: setattr(p, "jwks", (500, SECRET_WORDS))),
    BadAnswer("another provider's answer", "another_provider",
              names(authorization_response_iss_parameter_supported=True)),
]  # fmt: skip
