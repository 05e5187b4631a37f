"""A token of the target's own: client credentials (RFC 6749) or an exchange (RFC 8693), for one lease.

Like a tool's own calls: one request to the address that people have set, without redirects, within one time and one
size. A token that the target can revoke (RFC 7009) is revoked after the call; another must not outlive its lease.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit
from uuid import UUID

import orjson

from identities.secret_settings import OAuthSettings
from tools.adapters.http.request import Request
from tools.adapters.http.wire import Exchange, Wire
from tools.credentials.leases import LONGEST_LEASE_S
from tools.credentials.providers import (
    PROVIDER_TIMEOUT_S,
    CredentialTrouble,
    LeaseTerms,
    OpenSecret,
    Released,
)

ANSWER_LIMIT_BYTES = 64 * 1024
SHORTEST_TOKEN = 8
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  the name of a kind


class OAuthProvider:
    def __init__(self) -> None:
        self._wire = Wire()

    def handle_of(self, lease_id: UUID) -> str:
        return ""  # a token has no name before it is issued; one that nobody got to know ends by itself

    def issue(self, secret: OpenSecret, lease: LeaseTerms) -> Released:
        settings = _settings_of(secret)
        exchange = self._post(settings.token_url, _token_request(settings, secret.value), secret)
        if exchange.status != 200:
            raise _trouble(exchange, "the target's token endpoint")
        token, life_s = _read_token(exchange.body)
        if life_s > LONGEST_LEASE_S and not settings.revocation_url:
            detail = f"the target's tokens last {life_s:g} s: name its revocation_url, or shorten them"
            raise CredentialTrouble("credential_unavailable", detail)
        return Released(token, lease.expires_at, handle=token if settings.revocation_url else "")

    def end(self, secret: OpenSecret, handle: str) -> None:
        settings = _settings_of(secret)
        exchange = self._post(
            settings.revocation_url, {"token": handle, "token_type_hint": "access_token"}, secret
        )
        if exchange.status != 200:  # an unknown token is answered with 200 as well (RFC 7009)
            raise _trouble(exchange, "the target's revocation endpoint")

    def close(self) -> None:
        """Close the idle connections. The provider can be used again."""
        self._wire.close()

    def _post(self, url: str, form: dict[str, str], secret: OpenSecret) -> Exchange:
        parts, body = urlsplit(url), urlencode(form).encode()
        headers = [
            (b"Host", parts.netloc.encode()),
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"identity"),
            (b"Content-Type", b"application/x-www-form-urlencoded"),
            (b"Content-Length", str(len(body)).encode()),
            *_client_header(_settings_of(secret), secret.value),
        ]
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        request = Request(
            "POST", parts.scheme, parts.hostname or "", parts.port, target, headers, body, ANSWER_LIMIT_BYTES,
            _settings_of(secret).allow_private,
        )  # fmt: skip
        return self._wire.send(request, timeout_s=PROVIDER_TIMEOUT_S)


def _token_request(settings: OAuthSettings, value: str) -> dict[str, str]:
    wanted = {"scope": settings.scope, "audience": settings.audience}
    form = {name: text for name, text in wanted.items() if text}
    if settings.grant == "client_credentials":
        return {"grant_type": "client_credentials", **form}
    return {
        "grant_type": _EXCHANGE,
        "client_id": settings.client_id,
        "subject_token": value,
        "subject_token_type": _ACCESS_TOKEN,
        **form,
    }


def _client_header(settings: OAuthSettings, value: str) -> list[tuple[bytes, bytes]]:
    """Return how a client with a secret signs in (RFC 6749, 2.3.1); who exchanges a token has no other secret."""
    if settings.grant != "client_credentials":
        return []
    pair = f"{quote_plus(settings.client_id)}:{quote_plus(value)}"
    return [(b"Authorization", b"Basic " + base64.b64encode(pair.encode()))]


def _read_token(body: bytes) -> tuple[str, float]:
    """Return a token and the seconds that it lasts; one that does not say so is taken for lasting."""
    try:
        answer: Any = orjson.loads(body)  # Any: whatever the endpoint sends
    except orjson.JSONDecodeError:
        answer = None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or len(token) < SHORTEST_TOKEN:
        raise CredentialTrouble("credential_unavailable", "the target's token endpoint gave no token")
    life = answer.get("expires_in")
    return token, float(life) if type(life) in (int, float) else float("inf")


def _trouble(exchange: Exchange, who: str) -> CredentialTrouble:
    """Word what happened by its status alone: an endpoint may send back what it was given."""
    if exchange.fault == "address_refused":
        return CredentialTrouble("credential_unavailable", f"{who} is in a network that is not connected to")
    what = f"answered {exchange.status}" if exchange.status else "did not answer"
    refused = 400 <= exchange.status < 500 and exchange.status not in (408, 425, 429)
    return CredentialTrouble("credential_unavailable", f"{who} {what}", retryable=not refused)


def _settings_of(secret: OpenSecret) -> OAuthSettings:
    if not isinstance(secret.settings, OAuthSettings):
        raise CredentialTrouble("credential_unavailable", "these are no settings of a token endpoint")
    return secret.settings
