"""What a tool's server would have of its client before it begins, told to a client that has not offered it either."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from runs.gateway.answers import Answer
from tools.adapters.mcp.answers import CAPABILITIES, CAPABILITY_MISSING

Context = ServerRequestContext[Any, Any]  # Any: nothing lives as long as the server; the transport's request


def refuse_lacking(context: Context, answer: Answer) -> None:
    """Raise MCPError, as the protocol has it, where a call was not made for want of what this client lacks as well.

    A client that offers it is told in the result that nothing of the kind is passed on.
    """
    lacks = [name for name in _wanted_by(answer) if not _offers(context, name)]
    if lacks:
        told: dict[str, Any] = {"requiredCapabilities": {name: {} for name in lacks}}  # Any: JSON
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, f"{answer.code}: {answer.detail}", told)


def _wanted_by(answer: Answer) -> list[str]:
    if answer.code != CAPABILITY_MISSING or not isinstance(answer.value, dict):
        return []
    return list(answer.value.get(CAPABILITIES, ()))


def _offers(context: Context, name: str) -> bool:
    capabilities = context.session.client_capabilities
    return capabilities is not None and getattr(capabilities, name, None) is not None
