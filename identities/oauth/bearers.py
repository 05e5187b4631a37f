"""Access tokens at this installation's own API: an application's own, with that scope."""

from __future__ import annotations

from identities.clients import find_client
from identities.models import User
from identities.oauth.compact import TokenRefused
from identities.oauth.metadata import api_audience
from identities.oauth.scopes import API
from identities.oauth.standing import check_standing
from identities.oauth.tokens import AccessToken, read_token


def accept_bearer(text: str) -> tuple[User, AccessToken] | None:
    """Return whose token this is, None for one that does not count here."""
    try:
        token = read_token(text, api_audience())
        check_standing(token)
    except TokenRefused:
        return None
    account = find_client(token.client_id)
    # What was passed on is for agents and tools: here an application acts for itself, and names its users.
    if account is None or account.kind != User.Kind.APPLICATION or token.subject != token.client_id:
        return None
    return (account, token) if API in token.scope else None


def still_counts(token: AccessToken, now_s: float) -> bool:
    """Return whether a token that was accepted would be accepted again."""
    try:
        check_standing(token)
    except TokenRefused:
        return False
    return now_s < token.expires_s
