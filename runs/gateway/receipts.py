"""What became of an agent's own calls, as a resource: the run of a conversation, with each of its calls.

To read it is no call: nothing is asked of anybody, and each agent reads of its own runs for the very same user only.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import mcp_types as types

from identities.oauth.bearers import Delegate
from runs.models import Run, RunKind, ToolCall

PREFIX = "agentops://runs/"
MOST_CALLS = 500  # the latest

TEMPLATE = types.ResourceTemplate(
    uri_template=PREFIX + "{run}",
    name="conversation",
    description="A conversation of yours, by the run that results name: its state, and what became of each call.",
    mime_type="application/json",
)


def read_receipt(caller: Delegate, uri: str) -> types.ReadResourceResult | None:
    """Return a run of the caller's own with its calls, None for an address that names none."""
    run = _find(caller, uri.removeprefix(PREFIX)) if uri.startswith(PREFIX) else None
    if run is None:
        return None
    calls = ToolCall.objects.filter(run_id=run.pk).order_by("-step", "-number")[:MOST_CALLS]
    told = {
        "run": str(run.pk),
        "state": run.state,
        "reason": run.status_reason,
        "calls": [_describe(call) for call in reversed(calls)],
    }
    text = json.dumps(told, ensure_ascii=False)
    contents = types.TextResourceContents(uri=uri, mime_type="application/json", text=text)
    return types.ReadResourceResult(contents=[contents])


def _find(caller: Delegate, run_id: str) -> Run | None:
    try:
        known = UUID(run_id)
    except ValueError:
        return None
    own = Run.objects.filter(
        identity=caller.agent, principal=caller.principal, application=caller.application
    )
    return own.filter(pk=known, kind=RunKind.EXTERNAL).first()


def _describe(call: ToolCall) -> dict[str, Any]:  # Any: JSON
    """Return how a call stands: no words of anybody, which its own result has."""
    ended = call.ended_at.isoformat() if call.ended_at else None
    told = {"call": call.step, "tool": call.tool_name, "state": call.state, "code": call.code}
    return {**told, "proposed_at": call.proposed_at.isoformat(), "ended_at": ended}
