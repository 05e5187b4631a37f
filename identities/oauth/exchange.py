"""Token exchange (RFC 8693): authority is passed on hop by hop, each recorded, none wider than the one before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from agentops.errors import StateConflict
from agentops.identifiers import new_id
from identities.clients import owner_of
from identities.models import DEEPEST, Delegation, Principal, User
from identities.oauth.clients import Client
from identities.oauth.details import narrow_details
from identities.oauth.errors import OAuthError, invalid_request
from identities.oauth.metadata import issuer
from identities.oauth.parameters import Parameters
from identities.oauth.receipts import digest_receipt, sign_receipt
from identities.oauth.resources import Audience, read_audience
from identities.oauth.scopes import CALL_TOOLS, DELEGATE, narrow_scope, scope_text
from identities.oauth.subjects import ACCESS_TOKEN, Subject, check_actor, read_subject
from identities.oauth.tokens import AccessToken, draft_token, sign_token
from identities.services.applications import may_start
from identities.services.delegations import add_delegation


def exchange_token(client: Client, parameters: Parameters) -> dict[str, Any]:  # Any: JSON
    """Answer an exchange; raises OAuthError."""
    if parameters.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise invalid_request("requested_type", "Access tokens are all that is issued.")
    audience = read_audience(parameters, client.account)
    check_actor(client, parameters)
    subject = read_subject(client, parameters)
    scope = narrow_scope(parameters, subject.scope)
    _check_reach(client, audience, subject, scope)
    token = draft_token(
        client_id=client.client_id,
        subject=subject.name,
        principal_issuer=subject.issuer,
        audience=audience.name,
        scope=scope,
        epoch=client.account.token_epoch,
        credential=client.credential.pk,
        details=narrow_details(parameters, subject.details),
        not_after_s=subject.expires_s,
    )
    if token.details and CALL_TOOLS not in scope:
        raise OAuthError("invalid_scope", "no_tool_calls", "A call of a tool needs that scope.")
    act = {"sub": client.client_id, **({"act": subject.act} if subject.act else {})}
    signed = _record_hop(client, replace(token, act=act, proof=subject.proof), subject)
    return _describe(signed)


def _check_reach(client: Client, audience: Audience, subject: Subject, scope: frozenset[str]) -> None:
    """Check that the client may reach the audience on somebody's behalf; raises OAuthError."""
    if subject.parent is not None and subject.parent.depth >= DEEPEST:
        raise invalid_request("too_deep", f"Authority is passed on {DEEPEST} times at most.")
    if audience.kind == "api":
        raise OAuthError("invalid_target", "api_for_another", "No token is given for this audience.")
    if audience.account is None:
        return
    if DELEGATE not in subject.scope:
        raise OAuthError("invalid_scope", "no_delegation", "This authority is not to be passed on.")
    target = audience.account
    if target == client.account or target.kind != User.Kind.AGENT:
        raise OAuthError("invalid_target", "not_an_agent", "Authority is passed on to another agent.")
    if not client.is_agent and not may_start(client.account.application, target.agent_identity):
        raise OAuthError("invalid_target", "may_not_start", "No token is given for this audience.")


def _record_hop(client: Client, token: AccessToken, subject: Subject) -> AccessToken:
    """Record the hop with its signed receipt; return the token that names it."""
    team, parent = owner_of(client.account).team, subject.parent
    with transaction.atomic():
        delegation = Delegation(
            id=new_id(),
            parent=parent,
            actor=client.account,
            team=team,
            principal=_principal_of(subject, client.account),
            proof=subject.proof,
            credential=client.credential,
            audience=token.audience,
            scope=scope_text(token.scope),
            depth=parent.depth + 1 if parent else 1,
            expires_at=datetime.fromtimestamp(token.expires_s, UTC),
        )
        delegation.receipt = _sign_receipt(delegation, token)
        try:
            add_delegation(delegation)
        except StateConflict as conflict:
            raise invalid_request(f"subject_{conflict.code}", "The subject token is not accepted.") from None
    return replace(token, delegation=delegation.pk)


def _principal_of(subject: Subject, account: User) -> Principal | None:
    if subject.is_client:
        return None
    if subject.parent is not None:
        return subject.parent.principal
    found, _ = Principal.objects.get_or_create(
        team=owner_of(account).team, issuer=subject.issuer, subject=subject.name
    )
    return found


def _sign_receipt(delegation: Delegation, token: AccessToken) -> str:
    """Return the hop in our words, bound to the one before it; it names the principal's row, nothing personal."""
    before = delegation.parent.receipt if delegation.parent else ""
    claims = {
        "iss": issuer(),
        "jti": str(delegation.pk),
        "iat": token.issued_s,
        "exp": token.expires_s,
        "actor": token.client_id,
        "audience": token.audience,
        "principal": str(delegation.principal_id) if delegation.principal_id else None,
        "proof": delegation.proof,
        "scope": delegation.scope,
        "depth": delegation.depth,
        "parent": str(delegation.parent_id) if delegation.parent_id else None,
        "parent_sha256": digest_receipt(before),
    }
    return sign_receipt(claims)


def _describe(token: AccessToken) -> dict[str, Any]:  # Any: JSON
    answer: dict[str, Any] = {
        "access_token": sign_token(token),
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": token.lives_s,
        "scope": scope_text(token.scope),
    }
    # What was granted is said where it was asked for (RFC 9396, 7).
    return {**answer, "authorization_details": list(token.details)} if token.details else answer
