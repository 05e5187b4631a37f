"""For whom authority is passed on: what proves it, and what it comes from (RFC 8693, 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agentops.strict_json import MalformedJSON, parse_json
from identities.models import STAFF_ISSUER, Delegation, UsedIdentifier, User
from identities.oauth.claims import text_of
from identities.oauth.clients import Client
from identities.oauth.compact import TokenRefused
from identities.oauth.errors import invalid_request
from identities.oauth.issuers import read_foreign_token
from identities.oauth.metadata import api_audience, issuer
from identities.oauth.parameters import Parameters, need
from identities.oauth.scopes import scopes_of
from identities.oauth.spending import spend
from identities.oauth.standing import check_standing
from identities.oauth.tokens import Actor, Detail, read_token

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  the name of a type
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105  the name of a type
JWT = "urn:ietf:params:oauth:token-type:jwt"
USER_ID = "urn:agentops:params:oauth:token-type:user-id"

Proof = Delegation.Proof


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a chain acts for, and the bounds of whatever is passed on from here."""

    issuer: str
    name: str
    proof: str
    scope: frozenset[str]
    parent: Delegation | None = None
    act: Actor | None = None
    details: tuple[Detail, ...] = ()
    expires_s: int | None = None

    @property
    def is_client(self) -> bool:
        return self.proof == Proof.SELF


def read_subject(client: Client, parameters: Parameters) -> Subject:
    """Return the subject that a request proves; raises OAuthError `invalid_request`."""
    text, kind = need(parameters, "subject_token"), need(parameters, "subject_token_type")
    try:
        if kind == ACCESS_TOKEN:
            return _from_our_token(client, text)
        if kind in (ID_TOKEN, JWT):
            return _from_foreign_token(client, text)
        if kind == USER_ID:
            return _asserted(client, text)
    except TokenRefused as refusal:
        raise invalid_request(f"subject_{refusal.reason}", "The subject token is not accepted.") from None
    raise invalid_request("subject_type", "This type of subject token is not taken.")


def check_actor(client: Client, parameters: Parameters) -> None:
    """Check that the actor token, which may be left out, is the client's own; raises OAuthError."""
    if "actor_token" not in parameters:
        if "actor_token_type" in parameters:
            raise invalid_request("actor_type", "There is a type, but no actor token.")
        return
    if need(parameters, "actor_token_type") != ACCESS_TOKEN:
        raise invalid_request("actor_type", "This type of actor token is not taken.")
    try:
        token = read_token(parameters["actor_token"], client.client_id, api_audience())
        check_standing(token)
        if token.client_id != client.client_id or token.subject != client.client_id:
            raise TokenRefused("another_actor")
    except TokenRefused as refusal:
        raise invalid_request(f"actor_{refusal.reason}", "The actor token is not accepted.") from None


def _from_our_token(client: Client, text: str) -> Subject:
    # Its audience has to be who presents it: a token that was meant for somebody else is spliced in here.
    token = read_token(text, client.client_id)
    parent = check_standing(token)
    # Without a hop it stands for its client alone, whatever it says of others.
    if parent is None and not token.client_id == token.subject == client.client_id:
        raise TokenRefused("another_client")
    if token.details and not spend(UsedIdentifier.Purpose.TOOL_CALL, token.jti, until_s=token.expires_s):
        raise TokenRefused("replayed")
    return Subject(
        issuer=token.principal_issuer,
        name=token.subject,
        proof=parent.proof if parent else Proof.SELF,
        scope=token.scope & scopes_of(client.account),
        parent=parent,
        act=token.act,
        details=token.details,
        expires_s=token.expires_s,
    )


def _from_foreign_token(client: Client, text: str) -> Subject:
    claims = read_foreign_token(client.account, text)
    return Subject(
        issuer=text_of(claims, "iss"),
        name=text_of(claims, "sub"),
        proof=Proof.TOKEN,
        scope=scopes_of(client.account),
        expires_s=int(claims["exp"]),
    )


def _asserted(client: Client, text: str) -> Subject:
    if client.account.kind != User.Kind.APPLICATION or not client.account.application.may_assert_users:
        raise TokenRefused("not_trusted_to_assert")
    try:
        named: Any = parse_json(text.encode())  # Any: JSON
    except (MalformedJSON, UnicodeEncodeError):
        raise TokenRefused("malformed") from None
    if not isinstance(named, dict) or named.keys() != {"issuer", "subject"}:
        raise TokenRefused("malformed")
    of, name = text_of(named, "issuer"), text_of(named, "subject")
    if of.strip().casefold() in (STAFF_ISSUER, issuer().casefold()):
        raise TokenRefused("own_issuer")  # members of staff and clients of ours prove themselves
    return Subject(issuer=of, name=name, proof=Proof.ASSERTED, scope=scopes_of(client.account))
