"""Signed tokens in compact form (RFC 7515), read as strictly as they can be.

The signature is joserfc's work. What is refused before it: any header but alg, kid and typ (crit, b64, and
all that would let a token name its own key), names that occur twice, base64url with more than one spelling,
texts that are too long. An algorithm is never the token's choice: it is the key's.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from agentops.strict_json import MalformedJSON, parse_json

LONGEST = 16 * 1024
ALGORITHMS = ("ES256", "Ed25519", "EdDSA", "RS256", "PS256")
IGNORED = frozenset({"x5t", "x5t#S256", "cty"})  # some providers add them; they say nothing that is believed

PublicKey = ECKey | RSAKey | OKPKey
Claims = dict[str, Any]  # Any: JSON

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")


class _Registry(jws.JWSRegistry):
    max_header_length = 2048

    def get_alg(self, name: str) -> Any:  # Any: the library's own model
        """Return an algorithm; "Ed25519" is how RFC 9864 calls what RFC 8037 calls EdDSA."""
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


class TokenRefused(Exception):
    """A token proves nothing; `reason` says why, for the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and what may be signed with it."""

    key: PublicKey
    algorithms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A token taken apart; nothing in it is proven yet."""

    text: str
    header: Mapping[str, Any]
    claims: Claims

    def verify(self, key: VerifyingKey) -> Claims:
        """Return the claims once the signature holds; raises TokenRefused."""
        algorithm = self.header["alg"]
        if algorithm not in key.algorithms:
            raise TokenRefused("algorithm")
        try:
            jws.deserialize_compact(self.text, key.key, registry=_Registry(algorithms=[*key.algorithms]))
        except (JoseError, ValueError) as error:
            raise TokenRefused("signature") from error
        return self.claims


def parse(text: str, *, types: frozenset[str], extra: frozenset[str] = frozenset()) -> Parsed:
    """Take a token apart whose `typ` is one of `types` ("" for none); raises TokenRefused."""
    if len(text) > LONGEST:
        raise TokenRefused("oversized")
    segments = text.split(".")
    if len(segments) != 3:
        raise TokenRefused("malformed")
    header, claims = _read_object(segments[0]), _read_object(segments[1])
    _decode(segments[2])
    if header.keys() - {"alg", "kid", "typ"} - extra:
        raise TokenRefused("header")
    if not all(isinstance(header.get(name, ""), str) for name in ("alg", "kid", "typ")):
        raise TokenRefused("header")
    if header.get("alg") not in ALGORITHMS:
        raise TokenRefused("algorithm")
    if header.get("typ", "").lower().removeprefix("application/") not in types:
        raise TokenRefused("type")
    return Parsed(text, header, claims)


def verify(parsed: Parsed, find_key: Callable[[str], VerifyingKey | None]) -> Claims:
    """Return the claims of a token whose key is known by its kid; raises TokenRefused."""
    key = find_key(parsed.header.get("kid", ""))
    if key is None:
        raise TokenRefused("unknown_key")
    return parsed.verify(key)


def _read_object(segment: str) -> dict[str, Any]:
    try:
        value = parse_json(_decode(segment))
    except MalformedJSON:
        raise TokenRefused("malformed") from None
    if not isinstance(value, dict):
        raise TokenRefused("malformed")
    return value


def _decode(segment: str) -> bytes:
    """Decode base64url; raises TokenRefused for any spelling but the one that an encoder writes."""
    if not _SEGMENT.fullmatch(segment) or len(segment) % 4 == 1:
        raise TokenRefused("malformed")
    raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != segment:
        raise TokenRefused("malformed")
    return raw
