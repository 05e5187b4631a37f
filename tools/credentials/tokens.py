"""The token that a call carries to a resource: minted for this attempt, good once, for this call, within a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from identities.oauth.metadata import issuer
from identities.oauth.tool_tokens import Acting as Minting
from identities.oauth.tool_tokens import mint_tool_token
from tools.calls import AUDIENCE, Call
from tools.credentials.acting import Acting
from tools.credentials.concealing import attempt_concealed
from tools.credentials.material import Answer, Credential
from tools.outcomes import fail

logger = logging.getLogger(__name__)


def with_token(call: Call, acting: Acting | None, attempt: Callable[[Call], Answer]) -> Answer:
    """Make an attempt with a token for the audience that the tool's configuration names, if it names one.

    No token, no call: whoever calls on a resource is known to it.
    """
    if AUDIENCE not in call.spec.config:
        return attempt(call)
    if acting is None or not issuer():
        return fail(
            "token_unavailable", "Nobody serves the tool's audience, or this installation has no PUBLIC_URL."
        )
    try:
        token = mint(call, acting)
    except Exception as error:  # nothing was sent: it must not count as an effect in doubt
        logger.error("no token for %s: %s", call.spec.name, type(error).__name__)
        return fail("token_unavailable", "The call's token could not be signed.", retryable=True)
    return attempt_concealed(token, replace(call, token=token), attempt)


def mint(call: Call, acting: Acting) -> Credential:
    """Return a fresh token of the attempt; the key stays, the token's id does not."""
    text = mint_tool_token(
        Minting(
            acting.client_id,
            acting.epoch,
            call.principal_issuer,
            call.principal_subject,
            call.principal_proof,
            acting.acts_for,
            call.run_id,
            call.spec.tool_id,
        ),
        audience=call.spec.config[AUDIENCE],
        tool=_name_there(call),
        key=call.key,
        arguments=call.arguments,
    )
    # A server that takes tokens apart may tell their parts; without the signature they are worth nothing.
    return Credential(text, "Authorization", "Bearer", parts=(text.rpartition(".")[2],))


def _name_there(call: Call) -> str:
    """Return what the reader knows the tool by: a server of tools has names of its own."""
    return str(call.spec.config["tool"]) if call.spec.adapter == "mcp" else call.spec.name
