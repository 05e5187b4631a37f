"""Speaks with one MCP server, by the official SDK: lists its tools, and calls one that is still what was accepted.

A conversation is one attempt's: its token and its credential are of this call, and so is what the server remembers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, cast

import anyio
from mcp import MCPError
from mcp.client import Client
from mcp.client._transport import TransportStreams
from mcp_types import CallToolResult, Implementation, InputRequiredResult, RequestParamsMeta, Tool

import agentops
from tools.adapters.mcp.config import Pinned
from tools.adapters.mcp.definitions import Described
from tools.adapters.mcp.wire import Allowance
from tools.recall import Recall

MOST_PAGES = 20
MOST_TOOLS = 500

Transport = AbstractAsyncContextManager[TransportStreams]


class ListingRefused(Exception):
    """A server's list of tools is endless, or names one twice."""


@dataclass
class Seen:
    """What was seen of a conversation. `asked`: the call was handed over; `fault`: the type of what broke it."""

    asked: bool = False
    changed: bool = False
    result: CallToolResult | InputRequiredResult | None = None
    refusal: MCPError | None = None
    fault: str = ""


async def call_pinned(
    client: Client, pinned: Pinned, arguments: dict[str, Any], meta: dict[str, Any], seen: Seen
) -> None:  # Any: JSON
    """Call a tool, if the server still describes it as it was accepted."""
    found = [tool for tool in await list_tools(client) if tool.name == pinned.tool]
    if not found or found[0].digest != pinned.digest:
        seen.changed = True
        return
    seen.asked = True
    # The listing has told the SDK which arguments go into headers, too.
    seen.result = await client.session.call_tool(
        pinned.tool,
        arguments,
        meta=cast("RequestParamsMeta", meta),  # an open record
        allow_input_required=True,
    )


async def list_tools(client: Client) -> list[Described]:
    """Return the tools of a server. Raises ListingRefused."""
    found: list[Described] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += [_describe(tool) for tool in page.tools]
        cursor = page.next_cursor
        if len(found) > MOST_TOOLS:
            break
        if cursor is None:
            return _refuse_twins(found)
    raise ListingRefused(f"it lists more than {MOST_TOOLS} tools, or on more than {MOST_PAGES} pages")


def hold(
    transport: Transport, allowance: Allowance, seen: Seen, speak: Callable[[Client], Awaitable[None]]
) -> None:
    """Hold a conversation within its time, in an event loop of its own. Raises nothing: it is all in ``seen``."""
    anyio.run(_hold, transport, allowance, seen, speak)


async def _hold(
    transport: Transport, allowance: Allowance, seen: Seen, speak: Callable[[Client], Awaitable[None]]
) -> None:
    with anyio.move_on_after(allowance.left()) as scope:
        _heed(allowance.recall, scope)
        try:
            async with Client(transport, client_info=_US, cache=None) as client:
                try:
                    await speak(client)
                except MCPError as error:
                    seen.refusal = error
                except Exception as error:  # a stranger's answer broke the SDK, or our patience
                    seen.fault = _name(error)
        except MCPError as error:
            seen.refusal = seen.refusal or error
        except Exception as error:  # groups of them, too: what they mean is decided by what was seen
            seen.fault = seen.fault or _name(error)
    if scope.cancelled_caught:
        seen.fault = seen.fault or "timeout"


def _heed(recall: Recall | None, scope: anyio.CancelScope) -> None:
    """Have the conversation ended when its call is called back; on the wire, each exchange sees to that itself."""
    if recall is None:
        return
    loop = asyncio.get_running_loop()

    def end() -> None:
        with suppress(RuntimeError):  # the loop is closed: the conversation has ended already
            loop.call_soon_threadsafe(scope.cancel)

    recall.heed(end)


_US = Implementation(name="agentops", version=agentops.__version__)


def _name(error: Exception) -> str:
    """Return words for an error: ours are quoted, a stranger's are not."""
    return str(error) if isinstance(error, ListingRefused) else type(error).__name__


def _refuse_twins(found: list[Described]) -> list[Described]:
    if len({tool.name for tool in found}) < len(found):
        raise ListingRefused("it lists two tools of the same name")
    return found


def _describe(tool: Tool) -> Described:
    told = (
        tool.annotations.model_dump(by_alias=True, exclude_none=True, mode="json") if tool.annotations else {}
    )
    return Described(tool.name, tool.description or "", tool.input_schema, tool.output_schema, told)
