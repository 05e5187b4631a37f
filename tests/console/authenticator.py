"""A security key in software: as much of the WebAuthn standard as a well-behaved key, or a bad one, needs."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40
Json = dict[str, Any]  # Any: what browsers send


@dataclass
class SoftKey:
    """Signs what it is asked, as if the browser were at ``origin``; each field may be bent."""

    origin: str = "http://testserver"
    domain: str = "testserver"
    flags: int = USER_PRESENT | USER_VERIFIED
    count: int = 1
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def register(self, options: Json) -> Json:
        """Answer what a browser asks when a key is added."""
        data = self._data(self.flags | ATTESTED)
        data += bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential + self._public()
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            {"attestationObject": _text(attestation)}, self._client("webauthn.create", options)
        )

    def prove(self, options: Json) -> Json:
        """Answer what a browser asks when a key is to prove its person."""
        self.count += 1
        client, data = self._client("webauthn.get", options), self._data(self.flags)
        signed = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer({"authenticatorData": _text(data), "signature": _text(signed)}, client)

    def _answer(self, response: Json, client: bytes) -> Json:
        name = _text(self.credential)
        everything = {**response, "clientDataJSON": _text(client)}
        return {"id": name, "rawId": name, "type": "public-key", "response": everything}

    def _client(self, kind: str, options: Json) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin}).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.domain.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _public(self) -> bytes:
        numbers = self.private.public_key().public_numbers()
        return cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        )


def challenge_of(evidence: Json) -> bytes:
    """Return the challenge that a recorded signature was made over."""
    client: Json = json.loads(base64url_to_bytes(evidence["client_data"]))
    return base64url_to_bytes(client["challenge"])


def _text(raw: bytes) -> str:
    return bytes_to_base64url(raw)
