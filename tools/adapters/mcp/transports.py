"""How a server is reached: at its address, or by the command that the operator has given its name to."""

from __future__ import annotations

import httpx2
from mcp.client.streamable_http import streamable_http_client

from tools.adapters.mcp.config import Target
from tools.adapters.mcp.conversation import Transport
from tools.adapters.mcp.stdio import start_server
from tools.adapters.mcp.wire import Exchanges
from tools.commands import Commands


def open_transport(target: Target, exchanges: Exchanges, commands: Commands) -> Transport:
    """Return the way to a server, not yet gone."""
    if target.command:
        return start_server(commands[target.command], target.limit_bytes)
    client = httpx2.AsyncClient(transport=exchanges, trust_env=False)  # a proxy would go round our guard
    return streamable_http_client(target.url, http_client=client)
