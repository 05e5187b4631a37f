"""The MCP server that agents outside talk to: what they say in our words, and what became of it in theirs.

Protocol 2026-07-28 and those before it, as the SDK speaks them; nothing is remembered between two requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from agentops.errors import AgentOpsError, ValidationFailed
from identities.oauth.bearers import Delegate
from runs.gateway import receipts
from runs.gateway.answers import Answer
from runs.gateway.asking import (
    find_open,
    lead,
    may_be_asked,
    put_forms,
    read_responses,
    read_state,
    take_call,
    write_arguments,
)
from runs.gateway.completing import complete, find_reader
from runs.gateway.lacking import refuse_lacking
from runs.gateway.logs import asked_level, keep_level
from runs.gateway.mcp_tasks import describe_task, serve_tasks, speaks_tasks
from runs.gateway.offering import list_tools
from runs.gateway.progress import narrate
from runs.gateway.readable import (
    choose_prompt,
    choose_resource,
    describe_prompts,
    describe_resources,
    describe_templates,
    of_kind,
    write_contents,
    write_messages,
)
from runs.gateway.receiving import Foreign
from runs.gateway.telling import describe_problem, tell_problem, tell_result
from runs.gateway.waiting import ask_database, wait_for_answer
from runs.models import ReceivedCall
from tools.calls import ToolSpec
from tools.resolvers.shown import show_schema

Context = ServerRequestContext[Any, Any]  # Any: nothing lives as long as the server; the transport's request
Meta = Mapping[str, Any]  # Any: JSON that a client wrote
Page = types.PaginatedRequestParams | None  # all is on the first one

CALLER = "agentops.caller"  # in the request's scope
# What a client may say of a call, beside what MCP itself has.
CONVERSATION, KEY, WHY = "io.agentops/conversation", "io.agentops/key", "io.agentops/why"
INSTRUCTIONS = (
    "Every call is checked, recorded and carried out on behalf of the user whose token you present. A result with "
    "the code approval_required, confirmation_required or in_progress is no failure: make the very same call again "
    f"later to learn how it ended. Name a call that changes something by _meta {KEY!r}, so that it is never made twice."
)
INPUT_REQUIRED = "input_required"


@cache
def gateway_server() -> Server[Any]:  # Any: nothing lives as long as the server
    """Return this process's server."""
    server: Server[Any] = Server(  # Any: as above
        "agentops",
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
        on_list_resources=_list_resources,
        on_list_resource_templates=_list_templates,
        on_read_resource=_read_resource,
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
        on_completion=_complete,
    )
    serve_tasks(server, _caller, tell_result)
    # Not in the constructor, which warns of it: revisions before 2026-07-28 have it, and so do their clients.
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, _set_level)
    return server


async def _list_tools(context: Context, params: Page) -> types.ListToolsResult:
    return types.ListToolsResult(
        tools=[_describe(spec) for spec, _ in of_kind(await _granted(context), "tool")]
    )


async def _list_resources(context: Context, params: Page) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=describe_resources(await _granted(context)))


async def _list_templates(context: Context, params: Page) -> types.ListResourceTemplatesResult:
    granted = describe_templates(await _granted(context))
    return types.ListResourceTemplatesResult(resource_templates=[*granted, receipts.TEMPLATE])


async def _list_prompts(context: Context, params: Page) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=describe_prompts(await _granted(context)))


async def _read_resource(
    context: Context, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult | types.InputRequiredResult:
    uri, caller = str(params.uri), _caller(context)
    if uri.startswith(receipts.PREFIX) and (
        receipt := await ask_database(lambda: receipts.read_receipt(caller, uri))
    ):
        return receipt
    spec, arguments = choose_resource(await _granted(context), uri)
    answer = await _read(context, spec, arguments, params)
    if isinstance(answer, types.InputRequiredResult):
        return answer
    return types.ReadResourceResult(contents=write_contents(uri, answer.value, answer.parts))


async def _get_prompt(
    context: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    spec = choose_prompt(await _granted(context), params.name)
    answer = await _read(context, spec, dict(params.arguments or {}), params)
    if isinstance(answer, types.InputRequiredResult):
        return answer
    return types.GetPromptResult(
        description=spec.description, messages=write_messages(answer.value, answer.parts)
    )


async def _complete(context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    caller, asked = _caller(context), params.argument
    spec = find_reader(await _granted(context), params.ref, asked.name)
    return types.CompleteResult(
        completion=await ask_database(lambda: complete(caller, spec, asked.name, asked.value))
    )


async def _set_level(context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
    caller = _caller(context)
    try:
        await asyncio.to_thread(keep_level, caller, params.level)
    except AgentOpsError as error:
        raise MCPError(types.INTERNAL_ERROR, f"{error.code}: {error.detail}") from None
    return types.EmptyResult()


async def _teller(context: Context, received: ReceivedCall, tool: str) -> Callable[[], Awaitable[None]]:
    """Return what tells the client of a call's progress, as far as it has asked for any."""
    level = await asyncio.to_thread(asked_level, context, _caller(context))
    return narrate(context, received, tool, level)


async def _granted(context: Context) -> list[ToolSpec]:
    caller = _caller(context)
    try:
        return await ask_database(lambda: list_tools(caller))
    except AgentOpsError as error:
        raise MCPError(types.INVALID_REQUEST, str(error)) from None


async def _read(
    context: Context, spec: ToolSpec, arguments: dict[str, Any], params: types.InputResponseRequestParams
) -> Answer | types.InputRequiredResult:  # Any: JSON
    """Make a call that reads, as every call is made; raises MCPError for whatever is no result of it."""
    try:
        foreign = _foreign(spec.name, arguments, params.meta)
        received, foreign, is_new = await _take(context, foreign, params)
    except AgentOpsError as error:
        raise MCPError(types.INVALID_REQUEST, f"{error.code}: {error.detail}") from None
    tell = await _teller(context, received, spec.name)
    answer = await wait_for_answer(received, for_people=not is_new, tell=tell)
    if forms := await _find_forms(context, foreign, answer):
        return put_forms(received, foreign, forms)
    refuse_lacking(context, answer)
    if not answer.has_blocks:
        told = describe_problem(answer.code, answer.detail or str(answer.value), answer)
        raise MCPError(types.INVALID_REQUEST, f"{told['code']}: {told['detail']}", told)
    return answer


def _describe(spec: ToolSpec) -> types.Tool:
    reads = spec.effect == "read"
    output = spec.output_schema or {}
    return types.Tool(
        name=spec.name,
        description=spec.description,
        input_schema=_describe_arguments(spec),
        output_schema=output if output.get("type") == "object" else None,
        annotations=types.ToolAnnotations(
            read_only_hint=reads,
            destructive_hint=spec.effect == "irreversible",
            idempotent_hint=reads or spec.idempotency != "none",
        ),
    )


def _describe_arguments(spec: ToolSpec) -> dict[str, Any]:  # Any: JSON Schema
    """Return the schema, with what may be said in words; what is listed for a planner of ours is not listed here."""
    return show_schema(spec.input_schema, [each for each in spec.resolvers if each.fresh_s is None], {})


async def _call_tool(
    context: Context, params: types.CallToolRequestParams
) -> Any:  # Any: a result of MCP's own, or, as JSON, the task in its place
    try:
        foreign = _foreign(params.name, params.arguments, params.meta)
        received, foreign, is_new = await _take(context, foreign, params)
    except AgentOpsError as error:
        return tell_problem(error.code, error.detail)
    tell = await _teller(context, received, foreign.tool)
    answer = await wait_for_answer(received, for_people=not is_new, tell=tell)
    if not answer.is_settled and speaks_tasks(context):
        return {"resultType": "task", **describe_task(received, answer)}
    if is_new and (elsewhere := lead(context, received, foreign, answer)):
        return elsewhere
    if forms := await _find_forms(context, foreign, answer):
        return put_forms(received, foreign, forms)
    refuse_lacking(context, answer)
    return tell_result(received, answer)


async def _take(
    context: Context, foreign: Foreign, params: types.InputResponseRequestParams
) -> tuple[ReceivedCall, Foreign, bool]:
    """Return the call that a request makes or comes back about, as it is made now, and whether it is new."""
    caller, asked, answers = _caller(context), read_state(params.request_state), {}
    if params.input_responses and (asked is None or asked.is_form):
        answers = read_responses(await _find_spec(context, foreign.tool), params.input_responses)
    return await ask_database(lambda: take_call(caller, foreign, asked, answers))


async def _find_forms(context: Context, foreign: Foreign, answer: Answer) -> Mapping[str, Any]:
    """Return what the tool wants to be told first, where the client can ask its user; Any: JSON Schemas."""
    if answer.code != INPUT_REQUIRED or not may_be_asked(context):
        return {}
    return find_open(answer, await _find_spec(context, foreign.tool))


async def _find_spec(context: Context, tool: str) -> ToolSpec | None:
    return next((spec for spec in await _granted(context) if spec.name == tool), None)


def _caller(context: Context) -> Delegate:
    caller: Delegate = context.request.scope[CALLER]  # type: ignore[union-attr]  # over HTTP there always is one
    return caller


def _foreign(
    tool: str, arguments: Mapping[str, Any] | None, told: Any
) -> Foreign:  # Any: JSON that a client wrote
    meta: Meta = told or {}
    return Foreign(
        tool=tool,
        arguments=write_arguments(arguments),
        conversation=_text(meta, CONVERSATION),
        key=_text(meta, KEY),
        why=_text(meta, WHY),
        traceparent=_text(meta, "traceparent"),
        tracestate=_text(meta, "tracestate"),
    )


def _text(meta: Meta, name: str) -> str:
    value = meta.get(name, "")
    if not isinstance(value, str):
        raise ValidationFailed("bad_meta", f"_meta {name} is a text")
    return value
