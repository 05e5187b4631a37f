"""Sealed values: text that only this installation can open, and only where it belongs.

Envelope encryption as NIST SP 800-57 describes it: AES-256-GCM under a fresh data key per value, which is wrapped
under a key-encryption key of ``AGENTOPS_SEALING_KEYS``. Rotating those keys therefore never touches a value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from agentops.errors import AgentOpsError

VERSION = "v1"
NONCE_BYTES = 12
DATA_KEY_BYTES = 32


class SealRefused(AgentOpsError):
    """A sealed text does not open: `unknown_sealing_key`, `wrong_context` or `broken_seal`. Never quotes it."""


class _Sealed(NamedTuple):
    """The parts of a sealed text. The first three are authenticated with the data key."""

    version: str
    key_name: str
    context_digest: str
    wrapped_key: str
    box: str

    @property
    def header(self) -> bytes:
        return ".".join(self[:3]).encode()


def seal(plaintext: bytes, *, context: str) -> str:
    """Return a value sealed for one place, such as ``identities.secret/7/value``."""
    data_key = AESGCM.generate_key(DATA_KEY_BYTES * 8)
    return _wrap(data_key, _encrypt(data_key, plaintext, _place(context)), context)


def unseal(sealed: str, *, context: str) -> bytes:
    """Return the value; raises SealRefused, with a code that says why and nothing of the value."""
    parts = _split(sealed)
    return _decrypt(_data_key(parts, context), parts.box, _place(context))


def rewrap(sealed: str, *, context: str) -> str:
    """Return the same value under the first sealing key: the same text if it is already.

    Raises SealRefused for what does not open: a broken value is not to be given a new key as if it were whole.
    """
    unseal(sealed, context=context)
    parts = _split(sealed)
    if parts.key_name == next(iter(_sealing_keys())):
        return sealed
    return _wrap(_data_key(parts, context), parts.box, context)


def named_keys(entries: tuple[str, ...]) -> dict[str, str]:
    """Return the secrets of ``name:secret`` entries by name, in order; raises ImproperlyConfigured.

    Names stand in sealed texts, so they are plain: letters, digits, hyphens.
    """
    secrets: dict[str, str] = {}
    for entry in entries:
        name, separator, secret = entry.partition(":")
        plain = name.isascii() and name.replace("-", "").isalnum()
        if not (separator and secret and plain) or name in secrets:
            raise ImproperlyConfigured("AGENTOPS_SEALING_KEYS: each is name:secret, and no name stands twice")
        secrets[name] = secret
    if not secrets:
        raise ImproperlyConfigured("AGENTOPS_SEALING_KEYS: there is no key to seal with")
    return secrets


def _sealing_keys() -> dict[str, AESGCM]:
    return _expanded(tuple(settings.AGENTOPS_SEALING_KEYS))


@lru_cache(maxsize=2)
def _expanded(entries: tuple[str, ...]) -> dict[str, AESGCM]:
    return {name: AESGCM(_expand(secret)) for name, secret in named_keys(entries).items()}


def _expand(secret: str) -> bytes:
    """Return 256 bits of a long random secret (HKDF, RFC 5869); it is no password, so nothing is stretched."""
    return HKDF(SHA256(), DATA_KEY_BYTES, salt=None, info=b"agentops sealing v1").derive(secret.encode())


def _wrap(data_key: bytes, box: str, context: str) -> str:
    name, wrapping_key = next(iter(_sealing_keys().items()))
    unwrapped = _Sealed(VERSION, name, _digest(context), "", box)
    return ".".join(unwrapped._replace(wrapped_key=_encrypt(wrapping_key, data_key, unwrapped.header)))


def _data_key(parts: _Sealed, context: str) -> bytes:
    """Return the data key. The context is compared after the header is proven, to tell misplaced from bent."""
    wrapping_key = _sealing_keys().get(parts.key_name)
    if wrapping_key is None:
        raise SealRefused("unknown_sealing_key", "it was sealed under a key that is not configured")
    data_key = _decrypt(wrapping_key, parts.wrapped_key, parts.header)
    if parts.context_digest != _digest(context):
        raise SealRefused("wrong_context", "it was sealed for another place")
    return data_key


def _split(sealed: str) -> _Sealed:
    parts = sealed.split(".")
    if len(parts) != len(_Sealed._fields) or parts[0] != VERSION or not sealed.isascii():
        raise _broken()
    return _Sealed(*parts)


def _encrypt(key: AESGCM | bytes, plaintext: bytes, associated: bytes) -> str:
    nonce = os.urandom(NONCE_BYTES)
    return _encode(nonce + _cipher(key).encrypt(nonce, plaintext, associated))


def _decrypt(key: AESGCM | bytes, text: str, associated: bytes) -> bytes:
    raw = _decode(text)
    try:
        return _cipher(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], associated)
    except (InvalidTag, ValueError) as error:
        raise _broken() from error


def _cipher(key: AESGCM | bytes) -> AESGCM:
    return AESGCM(key) if isinstance(key, bytes) else key


def _place(context: str) -> bytes:
    return f"{VERSION}.{context}".encode()


def _digest(context: str) -> str:
    return _encode(hashlib.sha256(context.encode()).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    """Return the bytes; one text per value: Base64 would take several that differ in bits nobody reads."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise _broken() from error
    if _encode(raw) != text:
        raise _broken()
    return raw


def _broken() -> SealRefused:
    return SealRefused("broken_seal", "it is no sealed text, or was changed")
