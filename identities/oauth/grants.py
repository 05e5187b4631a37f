"""The token endpoint's grants: which are served, and client_credentials (RFC 6749, 4.4)."""

from __future__ import annotations

from typing import Any

from identities.oauth.clients import Client
from identities.oauth.errors import OAuthError
from identities.oauth.exchange import exchange_token
from identities.oauth.metadata import CLIENT_CREDENTIALS, TOKEN_EXCHANGE, issuer
from identities.oauth.parameters import Parameters, need
from identities.oauth.resources import read_audience
from identities.oauth.scopes import narrow_scope, scope_text, scopes_of
from identities.oauth.signing_keys import keeper
from identities.oauth.tokens import draft_token, sign_token
from identities.services.signing_keys import ensure_signing_key

Answer = dict[str, Any]  # Any: JSON


def grant_token(client: Client, parameters: Parameters) -> Answer:
    """Answer a request for a token; raises OAuthError."""
    grant = need(parameters, "grant_type")
    if keeper.present().signing is None:
        ensure_signing_key()
    if grant == CLIENT_CREDENTIALS:
        return grant_to_itself(client, parameters)
    if grant == TOKEN_EXCHANGE:
        return exchange_token(client, parameters)
    raise OAuthError("unsupported_grant_type", "grant_type", "This grant is not served.")


def grant_to_itself(client: Client, parameters: Parameters) -> Answer:
    """Give a client a token of its own, for the API, a resource, or itself: to pass its authority on."""
    audience = read_audience(parameters, client.account)
    if audience.account is not None and audience.account != client.account:
        raise OAuthError("invalid_target", "another_client", "Authority is passed on by token exchange.")
    if "authorization_details" in parameters:
        raise OAuthError("invalid_authorization_details", "details", "A call is made for somebody: exchange.")
    token = draft_token(
        client_id=client.client_id,
        subject=client.client_id,
        principal_issuer=issuer(),
        audience=audience.name,
        scope=narrow_scope(parameters, scopes_of(client.account)),
        epoch=client.account.token_epoch,
        credential=client.credential.pk,
    )
    return {
        "access_token": sign_token(token),
        "token_type": "Bearer",
        "expires_in": token.lives_s,
        "scope": scope_text(token.scope),
    }
