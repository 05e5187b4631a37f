"""Hashes of secrets that are long and random: keyed, so that a stolen table alone cannot be tried against."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from django.conf import settings


def peppered_hashes(secret: str, label: bytes) -> Iterator[str]:
    """Yield a secret's hash under the present SECRET_KEY, then under those it replaced.

    The label keeps kinds of secrets apart: what is kept of one never fits another.
    """
    for signing_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        pepper = hmac.new(signing_key.encode(), label, hashlib.sha256).digest()
        yield hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()
