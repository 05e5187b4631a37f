"""Speaks with one MCP server, by the official SDK: lists its tools, and calls one that is still what was accepted.

A conversation is one attempt's: its token and its credential are of this call, and so is what the server remembers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import MCPError
from mcp.client import Client
from mcp.client._transport import TransportStreams
from mcp.client.session import ClientRequestContext
from mcp_types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    GetPromptResult,
    Implementation,
    InputRequiredResult,
    InputResponses,
    ReadResourceResult,
    Tool,
)
from mcp_types.jsonrpc import METHOD_NOT_FOUND

import agentops
from tools.adapters.mcp.asking import MOST_ROUNDS, respond
from tools.adapters.mcp.config import Pinned
from tools.adapters.mcp.definitions import ONLY_AS_TASK, Described
from tools.adapters.mcp.forms import take_answers
from tools.adapters.mcp.readable import (
    Kind,
    describe_prompt,
    describe_resource,
    describe_template,
    expand,
    split_name,
)
from tools.adapters.mcp.wire import Allowance
from tools.recall import Recall

MOST_PAGES = 20
MOST_TOOLS = 500

Result = CallToolResult | ReadResourceResult | GetPromptResult | InputRequiredResult
Transport = AbstractAsyncContextManager[TransportStreams]


class ListingRefused(Exception):
    """A server's list of tools is endless, or names one twice."""


@dataclass
class Seen:
    """What was seen of a conversation. `asked`: the call was handed over; `fault`: the type of what broke it."""

    asked: bool = False
    changed: bool = False
    result: Result | None = None
    refusal: MCPError | None = None
    fault: str = ""


async def call_pinned(
    client: Client, pinned: Pinned, arguments: dict[str, Any], meta: dict[str, Any], seen: Seen
) -> None:  # Any: JSON
    """Call a tool, or read what is read like one, if the server still describes it as it was accepted."""
    kind, name = split_name(pinned.tool)
    found = [each for each in await _list(client, kind) if each.name == pinned.tool]
    if not found or found[0].digest != pinned.digest:
        seen.changed = True
        return
    seen.asked = True
    given, answers = take_answers(pinned.asks, arguments)
    responses: InputResponses | None = None
    state: str | None = None
    for _ in range(MOST_ROUNDS):
        more = {"meta": meta, "input_responses": responses, "request_state": state}
        seen.result = await _call(client, kind, name, given, more)
        if not isinstance(seen.result, InputRequiredResult):
            return
        responses, state = respond(seen.result, answers), seen.result.request_state
        if responses is None:
            return


async def _call(
    client: Client, kind: Kind, name: str, arguments: dict[str, Any], more: dict[str, Any]
) -> Result:  # Any: JSON, and what goes with a call beside its arguments
    session = client.session  # the listing has told it which arguments go into headers, too
    result: Result
    match kind:
        case "tool":
            result = await session.call_tool(name, arguments, allow_input_required=True, **more)
        case "prompt":
            result = await session.get_prompt(name, arguments, allow_input_required=True, **more)
        case _:
            address = expand(name, arguments)
            result = await session.read_resource(address, allow_input_required=True, **more)
    return result


async def list_tools(client: Client) -> list[Described]:
    """Return the tools of a server, and its resources and prompts as such. Raises ListingRefused."""
    capabilities = client.server_capabilities
    found = await _list(client, "tool")
    for kind in ("resource", "template") if capabilities.resources else ():
        found += await _list_more(client, kind)
    return _refuse_twins(found + (await _list_more(client, "prompt") if capabilities.prompts else []))


async def _list_more(client: Client, kind: Kind) -> list[Described]:
    """Return what a server has beside tools; too much of it, or none at all, is no reason to do without its tools."""
    try:
        return await _list(client, kind)
    except ListingRefused:
        return []
    except MCPError as error:
        if error.code == METHOD_NOT_FOUND:
            return []
        raise


async def _list(client: Client, kind: Kind) -> list[Described]:
    """Return all of one kind. Raises ListingRefused."""
    found: list[Described] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page, cursor = await _PAGES[kind](client, cursor)
        found += page
        if len(found) > MOST_TOOLS:
            break
        if cursor is None:
            return _refuse_twins(found)
    raise ListingRefused(f"it lists more than {MOST_TOOLS} {kind}s, or on more than {MOST_PAGES} pages")


Page = tuple[list[Described], str | None]


async def _tools(client: Client, cursor: str | None) -> Page:
    page = await client.list_tools(cursor=cursor)
    return [_describe(tool) for tool in page.tools], page.next_cursor


async def _resources(client: Client, cursor: str | None) -> Page:
    page = await client.list_resources(cursor=cursor)
    return [describe_resource(each) for each in page.resources], page.next_cursor


async def _templates(client: Client, cursor: str | None) -> Page:
    page = await client.list_resource_templates(cursor=cursor)
    return [describe_template(each) for each in page.resource_templates], page.next_cursor


async def _prompts(client: Client, cursor: str | None) -> Page:
    page = await client.list_prompts(cursor=cursor)
    return [describe_prompt(each) for each in page.prompts], page.next_cursor


_PAGES: dict[Kind, Callable[[Client, str | None], Awaitable[Page]]] = {
    "tool": _tools,
    "resource": _resources,
    "template": _templates,
    "prompt": _prompts,
}


def hold(
    transport: Transport,
    allowance: Allowance,
    seen: Seen,
    speak: Callable[[Client], Awaitable[None]],
    *,
    may_ask: bool = False,
) -> None:
    """Hold a conversation within its time, in an event loop of its own. Raises nothing: it is all in ``seen``.

    ``may_ask``: the server is told that it may ask for forms.
    """
    anyio.run(_hold, transport, allowance, seen, speak, may_ask)


async def _hold(
    transport: Transport,
    allowance: Allowance,
    seen: Seen,
    speak: Callable[[Client], Awaitable[None]],
    may_ask: bool,
) -> None:
    with anyio.move_on_after(allowance.left()) as scope:
        _heed(allowance.recall, scope)
        try:
            asked = _decline if may_ask else None
            async with Client(transport, client_info=_US, cache=None, elicitation_callback=asked) as client:
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


async def _decline(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    """Answer a question of the older revisions, which name no form: nobody can say what it is about."""
    return ElicitResult(action="decline")


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
    if tool.execution is not None and tool.execution.task_support == "required":
        told[ONLY_AS_TASK] = "required"
    return Described(tool.name, tool.description or "", tool.input_schema, tool.output_schema, told)
