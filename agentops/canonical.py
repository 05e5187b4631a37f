"""One canonical text per JSON value (RFC 8785), and the digests taken of it.

Plain digests of personal data can be guessed from a list of candidates, so whatever leaves
``content`` is digested with a key.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import rfc8785
from django.conf import settings

from agentops.errors import ValidationFailed


def canonical_json(value: Any) -> bytes:  # Any: an arbitrary JSON value
    """Return the RFC 8785 bytes of a JSON value.

    Raises ValidationFailed for what JSON cannot carry exactly (NaN, integers beyond 2^53, lone surrogates).
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise ValidationFailed("not_canonical", f"not an exact JSON value: {error}") from error


def plain_digest(value: Any) -> str:  # Any: an arbitrary JSON value
    """Return the SHA-256 (hex) of a value that holds nothing personal, such as a schema."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def keyed_digest(value: Any) -> str:  # Any: an arbitrary JSON value
    """Return the HMAC-SHA256 (hex) of a value under the installation's digest key."""
    key = settings.AGENTOPS_DIGEST_KEY.encode()
    return hmac.digest(key, canonical_json(value), "sha256").hex()
