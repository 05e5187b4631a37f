"""Clients of the token endpoint as others write them: keys of their own, forms, assertions."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from django.http import HttpResponse
from django.test import Client as Browser
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from agentops.canonical import canonical_json
from identities.models import Credential, User
from identities.services import issue_credential
from identities.services.credentials import client_key, new_client_secret

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

    Answer = _MonkeyPatchedWSGIResponse  # what a test client returns, under a name for people
else:
    Answer = HttpResponse

ISSUER = "http://127.0.0.1:8000"
TOKEN_URL = f"{ISSUER}/oauth/token"
API = f"{ISSUER}/api/v1"
FORM = "application/x-www-form-urlencoded"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
USER_ID = "urn:agentops:params:oauth:token-type:user-id"


@cache
def key_pair(name: str, kind: str = "EC") -> Any:  # Any: whichever kind was asked for
    """Return a pair of keys under a name, made once: an RSA pair takes longer than most tests."""
    match kind:
        case "EC":
            return ECKey.generate_key("P-256", {"kid": name})
        case "OKP":
            return OKPKey.generate_key("Ed25519", {"kid": name})
    return RSAKey.generate_key(2048, {"kid": name})


def sign(
    claims: Any, key: Any, header: dict[str, Any] | None = None, *, alg: str = "ES256"
) -> str:  # Any: whatever a test wants to have signed, well-formed or not
    """Return a compact JWS whose header has alg and kid, and what is given; None leaves a member out."""
    given = {"alg": alg, "kid": key.kid, **(header or {})}
    plain = {name: value for name, value in given.items() if value is not None}
    payload = claims if isinstance(claims, bytes) else canonical_json(claims)
    return sign_raw(canonical_json(plain), payload, key, alg=alg)


def sign_raw(header: bytes, payload: bytes, key: Any, *, alg: str = "ES256") -> str:  # Any: as above
    """Return a compact JWS of exactly these bytes."""
    signed = f"{encode(header)}.{encode(payload)}"
    model: Any = jws.JWSRegistry.algorithms["Ed25519" if alg == "EdDSA" else alg]
    return f"{signed}.{encode(model.sign(signed.encode(), key))}"


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, unverified."""
    claims: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return claims


def assertion(client_id: str, key: Any, **changes: Any) -> str:  # Any: claims, well-formed or not
    """Return a client's assertion about itself; a claim changed to None is left out."""
    now = int(time.time())
    said = {"iss": client_id, "sub": client_id, "aud": TOKEN_URL, "iat": now, "exp": now + 60}
    alg, header = changes.pop("alg", "ES256"), changes.pop("header", None)
    claims = {"jti": uuid4().hex, **said, **changes}
    return sign({name: value for name, value in claims.items() if value is not None}, key, header, alg=alg)


@dataclass
class Caller:
    """A client with a secret."""

    account: User
    secret: str
    browser: Browser = field(default_factory=Browser)

    @property
    def client_id(self) -> str:
        return self.account.username

    def post(self, path: str = "/oauth/token", **form: str) -> Answer:
        """Send a form, with the client's secret in it."""
        return post(self.browser, path, client_id=self.client_id, client_secret=self.secret, **form)

    def token(self, audience: str, **form: str) -> str:
        """Return a token of the client's own."""
        answer = self.post(grant_type="client_credentials", audience=audience, **form)
        assert answer.status_code == 200, answer.content
        return str(answer.json()["access_token"])

    def exchange(self, subject: str, audience: str, kind: str = ACCESS_TOKEN, **form: str) -> Answer:
        """Exchange a subject token for one with another audience."""
        given = {"subject_token": subject, "subject_token_type": kind, "audience": audience}
        return self.post(grant_type=EXCHANGE, **given, **form)

    def exchanged(self, subject: str, audience: str, kind: str = ACCESS_TOKEN, **form: str) -> str:
        """Return the token that an exchange gives."""
        answer = self.exchange(subject, audience, kind, **form)
        assert answer.status_code == 200, answer.content
        return str(answer.json()["access_token"])


def post(browser: Browser, path: str, /, **form: str) -> Answer:
    """Send a form."""
    body = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in form.items())
    return browser.post(path, body, content_type=FORM)


def basic(client_id: str, secret: str) -> str:
    """Return the header of RFC 6749, 2.3.1."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def user_id(subject: str = "customer-17", issuer: str = "https://shop.example") -> str:
    """Return what an application asserts."""
    return json.dumps({"issuer": issuer, "subject": subject})


def give_secret(actor: User, account: User) -> Caller:
    """Issue a client its first secret."""
    material = new_client_secret()
    issue_credential(actor=actor, owner=account, material=material)
    return Caller(account, material.plaintext)


def give_key(actor: User, account: User, key: Any) -> Credential:  # Any: as key_pair returns it
    """Register a client's public key."""
    return issue_credential(actor=actor, owner=account, material=client_key(key.as_dict(private=False)))
