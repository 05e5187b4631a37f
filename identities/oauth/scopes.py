"""Scopes: what a token may be used for at all. What may be done in detail is decided by grants, not here."""

from __future__ import annotations

from identities.models import User
from identities.oauth.errors import OAuthError
from identities.oauth.parameters import Parameters

API = "api"
CALL_TOOLS = "tools:call"
DELEGATE = "delegate"
SCOPES = frozenset({API, CALL_TOOLS, DELEGATE})

_OF_KIND = {
    User.Kind.APPLICATION: SCOPES,
    User.Kind.AGENT: frozenset({CALL_TOOLS, DELEGATE}),  # an agent's account never acts through the API
}


def scopes_of(account: User) -> frozenset[str]:
    """Return all that a client may ask for."""
    return _OF_KIND.get(User.Kind(account.kind), frozenset())


def narrow_scope(parameters: Parameters, most: frozenset[str]) -> frozenset[str]:
    """Return the scope asked for, by default the most there is; raises OAuthError `invalid_scope` beyond it."""
    if "scope" not in parameters:
        return most
    asked = frozenset(parameters["scope"].split(" "))
    if not asked <= most:
        raise OAuthError("invalid_scope", "broader_scope", "This scope is not within what may be given.")
    return asked


def scope_text(scope: frozenset[str]) -> str:
    """Return a scope as tokens and answers have it."""
    return " ".join(sorted(scope))
