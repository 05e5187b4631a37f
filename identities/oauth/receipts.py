"""Receipts: a hop of authority in words of its own, signed, bound to the hop before; nothing personal is in one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from agentops.canonical import keyed_digest
from identities.models import SigningKey
from identities.oauth.compact import Claims, VerifyingKey, parse, verify
from identities.oauth.keys import import_public_jwk
from identities.oauth.metadata import issuer
from identities.oauth.signing_keys import sign
from identities.oauth.tokens import AccessToken

RECEIPT = "agentops-receipt+jwt"


def sign_receipt(claims: Claims) -> str:
    """Return a hop's receipt; it is no access token, for its type is another."""
    return sign(claims, RECEIPT)


def digest_receipt(text: str) -> str | None:
    """Return what the next hop's receipt names this one by, None where there is none before."""
    return hashlib.sha256(text.encode()).hexdigest() if text else None


def write_call_receipt(
    token: AccessToken, arguments: Mapping[str, Any], before: str = ""
) -> str:  # Any: JSON
    """Return the receipt of a call that was taken by its token, after that of the hop ``before``.

    The arguments' digest is keyed, for a receipt outlives their erasure. Raises NoSigningKey.
    """
    (detail,) = token.details
    return sign_receipt(
        {
            "iss": issuer(),
            "jti": token.jti,
            "iat": int(time.time()),
            "exp": token.expires_s,
            "actor": token.client_id,
            "act": token.act,
            "audience": token.audience,
            "proof": token.proof,
            "run": str(token.run),
            "tool": str(token.tool),
            "identifier": detail["identifier"],
            "args_digest": keyed_digest([*detail["actions"], dict(arguments)]),
            "parent_sha256": digest_receipt(before),
        }
    )


def read_receipt(text: str) -> Claims:
    """Return what a receipt of ours says, however old it is; raises TokenRefused.

    A key that has had its day still proves what it signed; one that was revoked proves nothing.
    """
    return verify(parse(text, types=frozenset({RECEIPT})), _find_key)


def _find_key(kid: str) -> VerifyingKey | None:
    key = SigningKey.objects.filter(kid=kid, revoked_at=None).first()
    return None if key is None else import_public_jwk(key.public_jwk)
