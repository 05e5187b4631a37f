"""What became of a call, in the words of the protocol: its result, or the problem with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import mcp_types as types

from runs.gateway.answers import Answer
from runs.gateway.blocks import write_blocks
from runs.models import ReceivedCall

PROBLEM, RUN, CALL = "io.agentops/problem", "io.agentops/run", "io.agentops/call"
EDITED = "io.agentops/edited"
RETRY_AFTER_S = 30


def tell_result(received: ReceivedCall, answer: Answer) -> types.CallToolResult:
    """Return how a call ended, or stands."""
    where: dict[str, Any] = {RUN: str(received.run_id), CALL: received.number}  # Any: JSON
    where |= {EDITED: dict(answer.edited)} if answer.edited else {}
    if answer.status != "succeeded":
        return tell_problem(answer.code, answer.detail, answer, where)
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


def tell_problem(
    code: str, detail: str, answer: Answer | None = None, where: Mapping[str, Any] | None = None
) -> types.CallToolResult:
    """Return an error result: the problem for models in its text, and for programs beside it."""
    told = describe_problem(code, detail, answer)
    return types.CallToolResult(
        content=[types.TextContent(text=json.dumps(told, ensure_ascii=False))],
        is_error=True,
        _meta={**(where or {}), PROBLEM: told},
    )


def describe_problem(code: str, detail: str, answer: Answer | None = None) -> dict[str, Any]:  # Any: JSON
    """Return a problem as JSON: its code, its words, and where it goes on."""
    told: dict[str, Any] = {"code": code, "detail": detail}  # Any: JSON
    told |= {"edited": dict(answer.edited)} if answer and answer.edited else {}
    told |= answer.shown.told if answer and answer.shown else {}
    if answer is not None and answer.approval is not None:
        told |= {"approval_id": str(answer.approval), "url": answer.url}
    if answer is not None and not answer.is_settled:
        told["retry_after"] = RETRY_AFTER_S
    return told
