"""Public keys as JSON (RFC 7517): which are taken, and what each may have signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from identities.oauth.compact import PublicKey, VerifyingKey

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
FEWEST_RSA_BITS, MOST_RSA_BITS = 2048, 4096  # fewer can be broken, more only cost us time


class UnusableKey(ValueError):
    """The key is none that we verify with; the message is for people."""


def import_public_jwk(jwk: Mapping[str, Any]) -> VerifyingKey:  # Any: JSON that somebody sent
    """Return the key; raises UnusableKey for a private key, a symmetric one, or one that is too weak."""
    if PRIVATE_MEMBERS & jwk.keys():
        raise UnusableKey("this is a private key, and no longer one: only its public half is to be sent")
    if jwk.get("use", "sig") != "sig" or jwk.get("crv", "P-256") not in ("P-256", "Ed25519"):
        raise UnusableKey("keys are for signatures: P-256, Ed25519, or RSA")
    key, algorithms = _import(jwk)
    named = jwk.get("alg")
    allowed = tuple(each for each in algorithms if named in (None, each))
    if not allowed:
        raise UnusableKey("the key's alg does not fit its type")
    return VerifyingKey(key, allowed)


def _import(jwk: Mapping[str, Any]) -> tuple[PublicKey, tuple[str, ...]]:  # Any: as above
    plain = {name: value for name, value in jwk.items() if name in ("kty", "crv", "x", "y", "n", "e")}
    if not all(isinstance(value, str) for value in plain.values()):
        raise UnusableKey("this is no key")
    try:
        match plain.get("kty"):
            case "EC":
                return ECKey.import_key(cast(Any, plain)), ("ES256",)  # Any: the library's typed dict
            case "OKP":
                return OKPKey.import_key(cast(Any, plain)), ("Ed25519", "EdDSA")
            case "RSA":
                return _bounded(RSAKey.import_key(cast(Any, plain))), ("RS256", "PS256")
    except UnusableKey:
        raise
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise UnusableKey("this is no key") from error
    raise UnusableKey("keys are for signatures: P-256, Ed25519, or RSA")


def _bounded(key: RSAKey) -> RSAKey:
    if not FEWEST_RSA_BITS <= key.public_key.key_size <= MOST_RSA_BITS:
        raise UnusableKey(f"an RSA key has {FEWEST_RSA_BITS} to {MOST_RSA_BITS} bits")
    return key
