"""Tokens of calls inside, bent one claim at a time: what whoever is called has to refuse, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from identities.oauth.details import describe_call
from identities.oauth.receipts import sign_receipt
from identities.oauth.tokens import AccessToken, read_token, sign_token

Bend = Callable[[AccessToken], str]


def _change(**changes: Any) -> Bend:  # Any: claims
    return lambda token: sign_token(replace(token, **changes))


def _other_arguments(token: AccessToken) -> str:
    (detail,) = token.details
    other = describe_call(detail["actions"][0], detail["identifier"], {"topic": "something else"})
    return sign_token(replace(token, details=(other,)))


def _retold(**members: Any) -> Bend:  # Any: JSON
    return lambda token: sign_token(replace(token, details=({**token.details[0], **members},)))


def _aged(by_s: int) -> Bend:
    now = int(time.time())
    return lambda token: sign_token(replace(token, issued_s=now - by_s, expires_s=now - by_s + 60))


# A name, what is done to the claims, and the reason that is told.
BENT: dict[str, tuple[Bend, str]] = {
    "another audience": (_change(audience="agent.somebody-else"), "audience"),
    "a table's audience": (_change(audience=f"/decision-tables/{uuid4()}"), "audience"),
    "other arguments": (_other_arguments, "call"),
    "another tool": (_retold(actions=["ask_somebody"]), "call"),
    "another key": (_retold(identifier="another"), "call"),
    "two calls": (lambda token: sign_token(replace(token, details=token.details * 2)), "call"),
    "no call": (_change(details=()), "call"),
    "another user": (_change(subject="customer-2"), "user"),
    "another users' house": (_change(principal_issuer="https://elsewhere.example"), "user"),
    "another run": (_change(run=uuid4()), "run"),
    "no run": (_change(run=None), "run"),
    "no scope": (_change(scope=frozenset({"api"})), "not_a_call"),
    "a hop by exchange": (_change(delegation=uuid4()), "not_a_call"),
    "an earlier epoch": (lambda token: sign_token(replace(token, epoch=token.epoch - 1)), "earlier_epoch"),
    "nobody": (_change(client_id="agent.nobody"), "client_closed"),
    "expired": (_aged(61), "expired"),
    "a receipt in its place": (lambda token: sign_receipt(token.claims()), "type"),
    "no token": (lambda _token: "", "malformed"),
}


def bend(text: str, how: str) -> str:
    """Return a token, bent."""
    return BENT[how][0](read_token(text))
