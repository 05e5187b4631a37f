"""Tokens for one call of a tool, minted where the call is made: by a worker, for the tool's own audience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from identities.oauth.details import describe_call
from identities.oauth.scopes import CALL_TOOLS
from identities.oauth.tokens import Actor, draft_token, nest_actors, sign_token


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, for whom, and on behalf of which other agents, the nearest first.

    `epoch` is that of the agent's account when its authority was read. `run` and `tool`: by whose right, to what.
    """

    client_id: str
    epoch: int
    principal_issuer: str
    principal: str
    proof: str = ""
    acts_for: tuple[str, ...] = ()
    run: UUID | None = None
    tool: UUID | None = None

    @property
    def chain(self) -> Actor:
        """Return who acts, and on whose behalf, as a token names them."""
        return nest_actors((self.client_id, *self.acts_for))


def mint_tool_token(
    acting: Acting,
    *,
    audience: str,
    tool: str,
    key: str,
    arguments: Mapping[str, Any],  # Any: JSON
) -> str:
    """Return a token that its reader takes once, for exactly this call, within a minute.

    No database is asked while the signing keys are known, which is for two seconds at a time. Raises
    NoSigningKey, and ValidationFailed for arguments that have no canonical text.
    """
    token = draft_token(
        client_id=acting.client_id,
        subject=acting.principal,
        principal_issuer=acting.principal_issuer,
        audience=audience,
        scope=frozenset({CALL_TOOLS}),
        epoch=acting.epoch,
        details=(describe_call(tool, key, arguments),),
    )
    acted = replace(token, act=acting.chain, proof=acting.proof, run=acting.run, tool=acting.tool)
    return sign_token(acted)
