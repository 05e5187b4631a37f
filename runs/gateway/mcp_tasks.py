"""The Tasks extension of MCP: a call that nobody has settled yet is a task, which the client asks about.

Source: SEP-2663, `io.modelcontextprotocol/tasks`. The SDK does not have it. A task's id is its call's; it never waits
for input, for only people decide, and they do so elsewhere. What became of a call is its result, a refusal included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types.jsonrpc import HEADER_MISMATCH, MISSING_REQUIRED_CLIENT_CAPABILITY

from agentops.errors import AgentOpsError
from identities.oauth.bearers import Delegate
from runs.gateway.answers import Answer, look
from runs.gateway.receiving import find_own, withdraw_call
from runs.gateway.waiting import ask_database
from runs.models import ReceivedCall

Context = ServerRequestContext[Any, Any]  # Any: nothing lives as long as the server; the transport's request
Wire = dict[str, Any]  # Any: JSON

EXTENSION = "io.modelcontextprotocol/tasks"
POLL_INTERVAL_MS = 5_000
WITHDRAWN = "approval_voided"  # nobody decides about it any more


class TaskParams(types.RequestParams):
    """Which task a client asks about; what else the extension may send is of no use here."""

    task_id: str


def speaks_tasks(context: Context) -> bool:
    """Return whether this request's client takes a task in a result's place."""
    capabilities = context.session.client_capabilities
    return bool(capabilities and EXTENSION in (capabilities.extensions or {}))


def describe_task(received: ReceivedCall, answer: Answer, result: Wire | None = None) -> Wire:
    """Return a task as the wire has it: a new one, or, with the result of a settled call, one that was asked about."""
    at = received.answered_at or received.received_at
    status = "cancelled" if answer.code == WITHDRAWN else "completed" if answer.is_settled else "working"
    told = {
        "taskId": f"{received.run_id}.{received.number}",
        "status": status,
        "createdAt": received.received_at.isoformat(),
        "lastUpdatedAt": at.isoformat(),
        "ttlMs": None,  # it is part of the record
        "pollIntervalMs": POLL_INTERVAL_MS,
    }
    words = f"{answer.code}: {answer.detail}" + (f"\n\n{answer.shown.words}" if answer.shown else "")
    message = {"statusMessage": words} if not answer.is_settled else {}
    return {**told, **message, **({"result": result} if status == "completed" else {})}


def serve_tasks(
    server: Server[Any],  # Any: as the context has it
    caller_of: Callable[[Context], Delegate],
    tell: Callable[[ReceivedCall, Answer], types.CallToolResult],
) -> None:
    """Let a server answer the extension's methods; ``tell`` words a call's result."""

    async def get(context: Context, params: TaskParams) -> Wire:
        received, answer = await _find(context, params, caller_of(context), _look)
        result = tell(received, answer).model_dump(by_alias=True, mode="json", exclude_none=True)
        return {"resultType": "complete", **describe_task(received, answer, result)}

    async def cancel(context: Context, params: TaskParams) -> Wire:
        await _find(context, params, caller_of(context), _withdraw)
        return {"resultType": "complete"}

    async def update(context: Context, params: TaskParams) -> Wire:
        await _find(context, params, caller_of(context), lambda caller, call: None)
        return {"resultType": "complete"}

    server.extensions[EXTENSION] = {}
    for name, handler in (("get", get), ("cancel", cancel), ("update", update)):
        server.add_request_handler(f"tasks/{name}", TaskParams, handler)


def _look(caller: Delegate, received: ReceivedCall) -> Answer:
    return look(received)


def _withdraw(caller: Delegate, received: ReceivedCall) -> bool:
    return withdraw_call(caller=caller, received=received)


async def _find(
    context: Context, params: TaskParams, caller: Delegate, verb: Callable[[Delegate, ReceivedCall], Any]
) -> tuple[ReceivedCall, Any]:
    """Return the caller's own call with what a verb says of it; raises MCPError for others' and for none."""
    if not speaks_tasks(context):
        needed: Wire = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, f"this needs the extension {EXTENSION}", needed)
    named = context.request.headers.get("mcp-name")  # type: ignore[union-attr]  # over HTTP there always is one
    if named not in (None, params.task_id):  # SEP-2243: what routes by the header must not be led elsewhere
        raise MCPError(HEADER_MISMATCH, "Mcp-Name names another task")
    run_id, _, number = params.task_id.rpartition(".")

    def find() -> tuple[ReceivedCall, Any]:
        received = find_own(caller, run_id, int(number) if number.isdigit() else 0)
        return received, verb(caller, received)

    try:
        return await ask_database(find)
    except AgentOpsError:
        raise MCPError(types.INVALID_PARAMS, "no such task") from None
