"""Who asks for tokens: an agent or an application, proven by one generation of its key set."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus

from django.utils import timezone

from identities.clients import find_client, may_act
from identities.models import Credential, User
from identities.oauth.assertions import ASSERTION_TYPE, find_asserted
from identities.oauth.client_secrets import find_by_secret
from identities.oauth.errors import OAuthError, invalid_client, invalid_request
from identities.oauth.generations import use_generation
from identities.oauth.parameters import Parameters, need

Prove = Callable[[User, datetime], Credential]


@dataclass(frozen=True, slots=True)
class Client:
    """An authenticated client; its account is loaded with the agent or application that it is of."""

    account: User
    credential: Credential

    @property
    def client_id(self) -> str:
        return self.account.username

    @property
    def is_agent(self) -> bool:
        return self.account.kind == User.Kind.AGENT


def authenticate(authorization: str, parameters: Parameters) -> Client:
    """Return who asks, by exactly one method; raises OAuthError (RFC 6749 2.3, RFC 7523 2.2)."""
    client_id, prove = _read_proof(authorization, parameters)
    if parameters.get("client_id", client_id) != client_id:
        raise invalid_client("client_id_differs")
    account = find_client(client_id)
    if account is None:
        raise invalid_client("unknown_client")
    now = timezone.now()
    if not may_act(account, now):
        raise invalid_client("client_closed", account)
    try:
        credential = prove(account, now)
        use_generation(credential, account, now)
    except OAuthError as refusal:
        refusal.account = account
        raise
    return Client(account, credential)


def _read_proof(authorization: str, parameters: Parameters) -> tuple[str, Prove]:
    """Return who a request says it is from, and how that is to be proven."""
    given = [bool(authorization), "client_secret" in parameters, "client_assertion" in parameters]
    if sum(given) > 1:
        raise invalid_request("several_methods", "Authenticate by one method.")
    if authorization:
        client_id, secret = _read_basic(authorization)
        return client_id, lambda account, _: find_by_secret(account, secret)
    if "client_secret" in parameters:
        secret = parameters["client_secret"]
        return need(parameters, "client_id"), lambda account, _: find_by_secret(account, secret)
    if "client_assertion" in parameters:
        if need(parameters, "client_assertion_type") != ASSERTION_TYPE:
            raise invalid_request("assertion_type", "This kind of assertion is not taken.")
        return find_asserted(parameters["client_assertion"])
    raise invalid_client("no_credentials")


def _read_basic(header: str) -> tuple[str, str]:
    """Return id and secret; both are form-encoded inside (RFC 6749, 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise invalid_client("unknown_scheme")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, _, secret = text.partition(":")
        pair = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise invalid_client("malformed_basic") from None
    if not all(pair) or any("\0" in part for part in pair):
        raise invalid_client("malformed_basic")
    return pair
