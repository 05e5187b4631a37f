"""Asks a server for all of its tools, outside any call."""

from __future__ import annotations

from collections.abc import Sequence

from mcp.client import Client

from agentops.clock import lease_clock_s
from agentops.errors import AdapterError
from tools.adapters.http.wire import Exchange, Wire
from tools.adapters.mcp.config import Target
from tools.adapters.mcp.conversation import Seen, hold, list_tools
from tools.adapters.mcp.definitions import Described
from tools.adapters.mcp.transports import open_transport
from tools.adapters.mcp.wire import Allowance, Exchanges
from tools.commands import Commands
from tools.sandbox import find_refusal


def ask_for_tools(
    target: Target,
    headers: Sequence[tuple[bytes, bytes]],
    commands: Commands,
    within_s: float,
) -> list[Described]:
    """Return what a server lists. Raises AdapterError, in words of ours only."""
    found: list[Described] | None = None
    if target.command and (refusal := find_refusal(commands[target.command])):
        raise AdapterError("no_sandbox", refusal)

    async def speak(client: Client) -> None:
        nonlocal found
        found = await list_tools(client)

    seen, wire, allowance = Seen(), Wire(), Allowance(lease_clock_s() + within_s)
    exchanges = Exchanges(wire, target, headers, allowance)
    try:
        hold(open_transport(target, exchanges, commands), allowance, seen, speak)
    finally:
        wire.close()
    if found is None:
        raise AdapterError("listing_failed", f"the server listed no tools: {_explain(seen, exchanges.last)}")
    return found


def _explain(seen: Seen, last: Exchange | None) -> str:
    if last is not None and (last.fault or last.status >= 400):
        return last.fault.replace("_", " ") or f"it answered {last.status}"
    if seen.refusal is not None:
        return f"error {seen.refusal.code}"
    return seen.fault or "no answer"
