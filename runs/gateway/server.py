"""The MCP server that agents outside talk to: what they say in our words, and what became of it in theirs.

Protocol 2026-07-28 and those before it, as the SDK speaks them; nothing is remembered between two requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import mcp_types as types
import orjson
from django.core import signing
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from agentops.errors import AgentOpsError, ValidationFailed
from identities.oauth.bearers import Delegate
from runs.gateway.answers import Answer
from runs.gateway.blocks import write_blocks
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
from runs.gateway.receiving import Foreign, find_received, receive_call
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
PROBLEM, RUN, CALL = "io.agentops/problem", "io.agentops/run", "io.agentops/call"
EDITED = "io.agentops/edited"
INSTRUCTIONS = (
    "Every call is checked, recorded and carried out on behalf of the user whose token you present. A result with "
    "the code approval_required, confirmation_required or in_progress is no failure: make the very same call again "
    f"later to learn how it ended. Name a call that changes something by _meta {KEY!r}, so that it is never made twice."
)
_SALT = "agentops.gateway"
STATE_AGE_S = 86_400
RETRY_AFTER_S = 30


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
    )
    serve_tasks(server, _caller, _tell)
    return server


async def _list_tools(context: Context, params: Page) -> types.ListToolsResult:
    return types.ListToolsResult(
        tools=[_describe(spec) for spec, _ in of_kind(await _granted(context), "tool")]
    )


async def _list_resources(context: Context, params: Page) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=describe_resources(await _granted(context)))


async def _list_templates(context: Context, params: Page) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=describe_templates(await _granted(context)))


async def _list_prompts(context: Context, params: Page) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=describe_prompts(await _granted(context)))


async def _read_resource(
    context: Context, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    uri = str(params.uri)
    spec, arguments = choose_resource(await _granted(context), uri)
    answer = await _read(context, spec, arguments, params.meta)
    return types.ReadResourceResult(contents=write_contents(uri, answer.value, answer.parts))


async def _get_prompt(context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    spec = choose_prompt(await _granted(context), params.name)
    answer = await _read(context, spec, dict(params.arguments or {}), params.meta)
    return types.GetPromptResult(
        description=spec.description, messages=write_messages(answer.value, answer.parts)
    )


async def _granted(context: Context) -> list[ToolSpec]:
    caller = _caller(context)
    try:
        return await ask_database(lambda: list_tools(caller))
    except AgentOpsError as error:
        raise MCPError(types.INVALID_REQUEST, str(error)) from None


async def _read(
    context: Context, spec: ToolSpec, arguments: dict[str, Any], meta: Any
) -> Answer:  # Any: JSON
    """Make a call that reads, as every call is made; raises MCPError for whatever is no result of it."""
    caller = _caller(context)
    try:
        foreign = _foreign(spec.name, arguments, meta)
        received, is_new = await ask_database(lambda: receive_call(caller=caller, foreign=foreign))
    except AgentOpsError as error:
        raise MCPError(types.INVALID_REQUEST, f"{error.code}: {error.detail}") from None
    answer = await wait_for_answer(
        received, for_people=not is_new, tell=narrate(context, received, spec.name)
    )
    if not answer.has_blocks:
        told = _told(answer.code, answer.detail or str(answer.value), answer)
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
    caller = _caller(context)
    try:
        foreign = _foreign(params.name, params.arguments, params.meta)
        if params.request_state is not None:
            received, is_new = (
                await ask_database(lambda: _resume(caller, foreign, params.request_state or "")),
                False,
            )
        else:
            received, is_new = await ask_database(lambda: receive_call(caller=caller, foreign=foreign))
    except AgentOpsError as error:
        return _problem(error.code, error.detail)
    tell = narrate(context, received, foreign.tool)
    answer = await wait_for_answer(received, for_people=not is_new, tell=tell)
    if not answer.is_settled and speaks_tasks(context):
        return {"resultType": "task", **describe_task(received, answer)}
    if answer.approval and is_new and _may_be_sent(context):
        return _send_to(received, answer)
    return _tell(received, answer)


def _caller(context: Context) -> Delegate:
    caller: Delegate = context.request.scope[CALLER]  # type: ignore[union-attr]  # over HTTP there always is one
    return caller


def _foreign(
    tool: str, arguments: Mapping[str, Any] | None, told: Any
) -> Foreign:  # Any: JSON that a client wrote
    meta: Meta = told or {}
    return Foreign(
        tool=tool,
        arguments=orjson.dumps(arguments or {}, option=orjson.OPT_SORT_KEYS).decode(),
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


def _resume(caller: Delegate, foreign: Foreign, state: str) -> ReceivedCall:
    """Return the call that a sealed state names, for the same caller and the same call only."""
    try:
        run_id, number = signing.loads(state, salt=_SALT, max_age=STATE_AGE_S)
    except (signing.BadSignature, ValueError, TypeError):
        raise MCPError(
            types.INVALID_PARAMS, "bad_request_state: this state is not ours, or too old"
        ) from None
    return find_received(caller=caller, foreign=foreign, run_id=run_id, number=number)


def _may_be_sent(context: Context) -> bool:
    """Return whether the client can show its user an address."""
    capabilities = context.session.client_capabilities
    return bool(capabilities and capabilities.elicitation and capabilities.elicitation.url)


def _send_to(received: ReceivedCall, answer: Answer) -> types.InputRequiredResult:
    """Ask the client to show where people decide. That its user has seen it says nothing about what they decide."""
    state = signing.dumps([str(received.run_id), received.number], salt=_SALT)
    words = f"{answer.detail}\n\n{answer.shown.words}" if answer.shown else answer.detail
    shown = types.ElicitRequestURLParams(message=words, url=answer.url, elicitation_id=str(answer.approval))
    asked = types.ElicitRequest(params=shown)
    return types.InputRequiredResult(input_requests={"approval": asked}, request_state=state)


def _tell(received: ReceivedCall, answer: Answer) -> types.CallToolResult:
    where: dict[str, Any] = {RUN: str(received.run_id), CALL: received.number}  # Any: JSON
    where |= {EDITED: dict(answer.edited)} if answer.edited else {}
    if answer.status != "succeeded":
        return _problem(answer.code, answer.detail, answer, where)
    value = answer.value
    if answer.has_blocks:
        blocks = [*_tell_edit(answer), *write_blocks(value, answer.parts)]
        return types.CallToolResult(content=blocks, _meta=where)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return types.CallToolResult(
        content=[*_tell_edit(answer), types.TextContent(text=text)],
        structured_content=value if isinstance(value, dict) else None,
        _meta=where,
    )


def _tell_edit(answer: Answer) -> list[types.TextContent]:
    """Return, before the result, that it is of other arguments than the agent's own."""
    if answer.edited is None:
        return []
    told = json.dumps(answer.edited, ensure_ascii=False)
    said = f"Edited by a person who reviews your calls. Do not repeat yours; this is of: {told}"
    return [types.TextContent(text=said)]


def _problem(
    code: str, detail: str, answer: Answer | None = None, where: Mapping[str, Any] | None = None
) -> types.CallToolResult:
    told = _told(code, detail, answer)
    return types.CallToolResult(
        content=[types.TextContent(text=json.dumps(told, ensure_ascii=False))],
        is_error=True,
        _meta={**(where or {}), PROBLEM: told},
    )


def _told(code: str, detail: str, answer: Answer | None = None) -> dict[str, Any]:  # Any: JSON
    told: dict[str, Any] = {"code": code, "detail": detail}  # Any: JSON
    told |= {"edited": dict(answer.edited)} if answer and answer.edited else {}
    told |= answer.shown.told if answer and answer.shown else {}
    if answer is not None and answer.approval is not None:
        told |= {"approval_id": str(answer.approval), "url": answer.url}
    if answer is not None and not answer.is_settled:
        told["retry_after"] = RETRY_AFTER_S
    return told
