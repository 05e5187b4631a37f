"""Signatures of webhooks as Standard Webhooks defines them: HMAC-SHA256, in Base64, behind the version ``v1``."""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def sign(secret: str, message_id: str, sent_at: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``: of the id, the moment (Unix seconds) and the body, joined by dots.

    While a secret is replaced by another, both sign: their values stand in the header one after the other, with a
    space in between. Raises ValueError for what is no secret.
    """
    if not secret.startswith(PREFIX):
        raise ValueError("a webhook's secret begins with whsec_")
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    signed = f"{message_id}.{sent_at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
