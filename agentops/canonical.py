"""One canonical text per JSON value (RFC 8785), and the digests taken of it.

Plain digests of personal data can be guessed from a list of candidates, so whatever leaves
``content`` is digested with a key.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import Any

import orjson
import rfc8785
from django.conf import settings

from agentops.errors import ValidationFailed

LARGEST_EXACT = 2**53 - 1


def canonical_json(value: Any) -> bytes:  # Any: an arbitrary JSON value
    """Return the RFC 8785 bytes of a JSON value.

    Raises ValidationFailed for what JSON cannot carry exactly (NaN, integers beyond 2^53, lone surrogates).
    """
    try:
        if _is_plain(value):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, orjson.JSONEncodeError) as error:
        raise ValidationFailed("not_canonical", f"not an exact JSON value: {error}") from error


def _is_plain(value: Any) -> bool:
    """Whether an ordinary encoder writes this as RFC 8785 does: it differs in floats, and in the order of odd keys."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-LARGEST_EXACT <= value <= LARGEST_EXACT)
    if kind is dict:
        for key in value:
            if type(key) is not str or not key.isascii():
                return False
    elif kind is not list:
        return False
    for part in value.values() if kind is dict else value:
        if type(part) is not str and not _is_plain(part):  # most are texts
            return False
    return True


def plain_digest(value: Any) -> str:  # Any: an arbitrary JSON value
    """Return the SHA-256 (hex) of a value that holds nothing personal, such as a schema."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def keyed_digest(value: Any) -> str:  # Any: an arbitrary JSON value
    """Return the HMAC-SHA256 (hex) of a value under the installation's digest key."""
    mac = _keyed(settings.AGENTOPS_DIGEST_KEY).copy()
    mac.update(canonical_json(value))
    return mac.hexdigest()


@lru_cache(maxsize=2)
def _keyed(key: str) -> hmac.HMAC:
    """Return what every digest under a key starts from; to look the hash up and key it takes longer than to digest."""
    return hmac.new(key.encode(), digestmod="sha256")
