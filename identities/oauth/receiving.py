"""Taking a call that never leaves this installation: a task for another agent, a question to a decision table.

Whoever is called believes the token, and not whoever hands it over, as a server elsewhere would: what the call has to
be comes from the receiver's own knowledge, who makes it and for whom from the token. Each is taken once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from identities.models import UsedIdentifier
from identities.oauth.compact import TokenRefused
from identities.oauth.details import describe_call
from identities.oauth.metadata import issuer
from identities.oauth.scopes import CALL_TOOLS
from identities.oauth.spending import spend
from identities.oauth.standing import check_standing
from identities.oauth.tokens import AccessToken, read_token

KEPT_S = 600  # longer than any such token lives, as for those that resources elsewhere use up


@dataclass(frozen=True, slots=True)
class Received:
    """A call as it arrives: at whom, of which tool, under which key, with what, for which user, by whose right."""

    audience: str
    tool: str
    key: str
    arguments: Mapping[str, Any]  # Any: JSON
    principal_issuer: str
    principal: str
    run: UUID


def table_audience(table_id: UUID) -> str:
    """Return what a decision table is called as an audience; an agent is called as its account is."""
    return f"{issuer()}/decision-tables/{table_id}"


def receive(text: str, call: Received) -> AccessToken:
    """Return what the token of a call says, which is used up by that; raises TokenRefused.

    In a transaction that is undone it was not used: what it was for has not happened either.
    """
    token = read_token(text, call.audience)
    _check_call(token, call)
    check_standing(token)
    if not spend(UsedIdentifier.Purpose.TOOL_CALL, token.jti, until_s=int(time.time()) + KEPT_S):
        raise TokenRefused("used")
    return token


def _check_call(token: AccessToken, call: Received) -> None:
    """Raise TokenRefused for a token of another call, another user or another run."""
    if token.delegation is not None or CALL_TOOLS not in token.scope:
        raise TokenRefused("not_a_call")
    if token.details != (describe_call(call.tool, call.key, call.arguments),):
        raise TokenRefused("call")
    if (token.principal_issuer, token.subject) != (call.principal_issuer, call.principal):
        raise TokenRefused("user")
    if token.run != call.run:
        raise TokenRefused("run")
