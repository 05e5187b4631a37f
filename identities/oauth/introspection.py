"""Introspection (RFC 7662) and revocation (RFC 7009): whether a token counts, and that it counts no more.

A caller sees tokens that are meant for it, and its own. What it must not see, and what is no token, are
answered alike.
"""

from __future__ import annotations

import time
from typing import Any

from identities.models import UsedIdentifier, User
from identities.oauth.clients import Client
from identities.oauth.compact import TokenRefused
from identities.oauth.errors import OAuthError, invalid_request
from identities.oauth.parameters import Parameters, need
from identities.oauth.spending import is_spent, spend
from identities.oauth.standing import check_standing
from identities.oauth.tokens import AccessToken, read_token
from identities.services.delegations import revoke_delegation

Answer = dict[str, Any]  # Any: JSON
Purpose = UsedIdentifier.Purpose


def introspect_token(client: Client, parameters: Parameters) -> Answer:
    """Say whether a token counts; with `consume` its reader uses a tool call's token up, once."""
    consume = parameters.get("consume", "false")
    if consume not in ("true", "false"):
        raise invalid_request("consume", "consume is true or false.")
    try:
        token = read_token(need(parameters, "token"))
        if not (_reads(client, token) or token.client_id == client.client_id):
            raise TokenRefused("not_for_caller")
        check_standing(token)
        _check_unused(client, token, consume=consume == "true")
    except TokenRefused:
        return {"active": False}
    return {"active": True, "token_type": "Bearer", **token.claims()}


def revoke_token(client: Client, parameters: Parameters) -> Answer:
    """Take a client's own token back, with all that came of it; what is no token is as good as taken back."""
    try:
        token = read_token(need(parameters, "token"))
    except TokenRefused:
        return {}
    if token.client_id != client.client_id:
        raise OAuthError("unauthorized_client", "another_clients_token", "This token is not yours to revoke.")
    try:
        delegation = check_standing(token)
    except TokenRefused:
        return {}
    if delegation is not None:
        revoke_delegation(actor=client.account, delegation=delegation)
    spend(Purpose.REVOKED, token.jti, until_s=token.expires_s)
    return {}


def _reads(client: Client, token: AccessToken) -> bool:
    """Return whether the token is meant for this client: as an agent, or as a resource."""
    if token.audience == client.client_id:
        return True
    account = client.account
    return account.kind == User.Kind.APPLICATION and account.application.audience == token.audience


def _check_unused(client: Client, token: AccessToken, *, consume: bool) -> None:
    """Check that a tool call's token was not used, and use it up for its reader; raises TokenRefused."""
    if not token.details:
        return
    # The client itself could otherwise use up what it has sent on, and say that the tool had done so.
    if consume and _reads(client, token):
        # Longer than it lives: clocks differ.
        if not spend(Purpose.TOOL_CALL, token.jti, until_s=int(time.time()) + 600):
            raise TokenRefused("used")
    elif is_spent(Purpose.TOOL_CALL, token.jti):
        raise TokenRefused("used")
