"""Access tokens at this installation itself: an application's own at the API, an agent's for a user at the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from identities.clients import find_client
from identities.models import AgentIdentity, Application, Delegation, Principal, User
from identities.oauth.compact import TokenRefused
from identities.oauth.metadata import api_audience, gateway_audience
from identities.oauth.scopes import API, CALL_TOOLS
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


@dataclass(frozen=True, slots=True)
class Delegate:
    """An agent that acts for an end user, by a token that says so.

    ``application`` is the one that passed the user's authority on, if one did; ``proof`` is what it rests on;
    ``delegation_id`` is the hop that can be taken back.
    """

    agent: AgentIdentity
    principal: Principal
    application: Application | None
    proof: str
    delegation_id: UUID | None = None


def accept_delegate(text: str) -> Delegate:
    """Return who calls the gateway, and for whom; raises TokenRefused for a token that does not count there."""
    token = read_token(text, gateway_audience())
    hop = check_standing(token)
    if CALL_TOOLS not in token.scope:
        raise TokenRefused("scope")
    if hop is None or hop.principal is None:
        raise TokenRefused("no_user")
    if hop.actor.kind != User.Kind.AGENT:
        raise TokenRefused("not_an_agent")
    return Delegate(hop.actor.agent_identity, hop.principal, _passed_on_by(hop), hop.proof, hop.pk)


def _passed_on_by(hop: Delegation) -> Application | None:
    """Return the application that a chain began with; raises TokenRefused where another agent stands in it.

    What that agent may not do, this one may not: nothing here would hold it to that.
    """
    found: Application | None = None
    while hop.parent is not None:
        hop = hop.parent
        if hop.actor.kind != User.Kind.APPLICATION:
            raise TokenRefused("another_agent")
        found = hop.actor.application
    return found


def still_counts(token: AccessToken, now_s: float) -> bool:
    """Return whether a token that was accepted would be accepted again."""
    try:
        check_standing(token)
    except TokenRefused:
        return False
    return now_s < token.expires_s
