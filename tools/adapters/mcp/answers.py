"""From what was seen of a conversation to an outcome; the table is in the package's docstring."""

from __future__ import annotations

from dataclasses import replace

from mcp import MCPError
from mcp_types import (
    CallToolResult,
    EmbeddedResource,
    GetPromptResult,
    InputRequiredResult,
    ReadResourceResult,
    TextContent,
)
from mcp_types.jsonrpc import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    PARSE_ERROR,
    UNSUPPORTED_PROTOCOL_VERSION,
)

from tools.adapters.base import accept_value
from tools.adapters.http.answers import LOST, judge
from tools.adapters.http.wire import Exchange
from tools.adapters.mcp.asking import find_open
from tools.adapters.mcp.config import Pinned
from tools.adapters.mcp.contents import Block, read_blocks, read_messages
from tools.adapters.mcp.conversation import Seen
from tools.adapters.mcp.forms import ANSWERS, take_answers
from tools.adapters.mcp.wire import Exchanges
from tools.calls import Call
from tools.outcomes import Outcome, Part, call_back, doubt, fail

CHANGED = "definition_changed"
CAPABILITY_MISSING, CAPABILITIES = "capability_missing", "capabilities"
CLIENT_CAPABILITIES = frozenset({"sampling", "roots", "elicitation"})
# By which a server says that it has not begun. An internal error, or one of its own making, does not say so.
_NOT_BEGUN = frozenset(
    {
        METHOD_NOT_FOUND,
        INVALID_PARAMS,
        HEADER_MISMATCH,
        MISSING_REQUIRED_CLIENT_CAPABILITY,
        UNSUPPORTED_PROTOCOL_VERSION,
    }
)


def judge_conversation(call: Call, pinned: Pinned, seen: Seen, exchanges: Exchanges | None) -> Outcome:
    """Return the outcome of an attempt."""
    if seen.result is not None:
        return _judge_result(call, pinned, seen.result)
    if seen.changed:
        detail = "The server does not describe this tool any more as it was accepted; nothing was called."
        return fail(CHANGED, detail)
    begun = exchanges.called if exchanges is not None else None
    if seen.refusal is not None and seen.refusal.code == MISSING_REQUIRED_CLIENT_CAPABILITY:
        return _name_missing(seen.refusal)
    if call.recall is not None and call.recall.code:
        return call_back(call.spec.effect, call.recall.code, sent=begun.sent if begun else seen.asked)
    if begun is None and (exchanges is not None or not seen.asked):
        return _judge_beginning(call, seen, exchanges.last if exchanges is not None else None)
    if begun is not None and (begun.fault or not 200 <= begun.status < 300):
        return judge(call, begun, pinned.target.limit_bytes)
    return _judge_broken(call, seen)


def _name_missing(refusal: MCPError) -> Outcome:
    """Say what a server would have of its client before it begins: nothing of the kind is passed on.

    The words are ours, and so are the names: a stranger's are no names of anything.
    """
    told = refusal.error.data if isinstance(refusal.error.data, dict) else {}
    wanted = told.get("requiredCapabilities")
    named = sorted(CLIENT_CAPABILITIES & wanted.keys()) if isinstance(wanted, dict) else []
    what = ", ".join(named) or "something"
    detail = f"Its server asks its client for {what} before it begins, which nobody here passes on; nothing was called."
    return replace(fail(CAPABILITY_MISSING, detail), value={CAPABILITIES: named})


def _judge_beginning(call: Call, seen: Seen, last: Exchange | None) -> Outcome:
    """Judge a conversation that came to no call: whatever went wrong, it had no effect."""
    if last is not None and (not last.sent or 400 <= last.status < 500):
        return replace(judge(call, last, 0), status="failed")
    why = (
        "did not answer in time"
        if seen.fault == "timeout" or (last and last.fault == "timeout")
        else "failed"
    )
    detail = f"The server {why} before the tool was called."
    return fail("unreachable", detail, retryable=True, counts_against_breaker=True)


def _judge_broken(call: Call, seen: Seen) -> Outcome:
    """Judge a call that was handed over, and that brought no result."""
    effect = call.spec.effect
    if seen.refusal is not None and seen.refusal.code in _NOT_BEGUN:
        return fail("refused", f"The server refused the call: {seen.refusal.message}")
    if seen.fault == "timeout":
        return doubt(effect, "timeout", LOST["timeout"])
    # The SDK's own words, too, for an answer of another media type or none.
    if seen.refusal is None or seen.refusal.code in (PARSE_ERROR, INVALID_REQUEST):
        return doubt(
            effect, "bad_output", "The server's answer does not keep to the protocol.", retryable=False
        )
    return doubt(effect, "server_error", f"The server failed: {seen.refusal.message}")


def _judge_result(call: Call, pinned: Pinned, result: object) -> Outcome:
    effect, limit = call.spec.effect, pinned.target.limit_bytes
    if isinstance(result, ReadResourceResult):
        resources = [EmbeddedResource(resource=each) for each in result.contents]
        return _accept(call, read_blocks(resources), limit)
    if isinstance(result, GetPromptResult):
        return _accept(call, read_messages(result.messages), limit)
    if isinstance(result, InputRequiredResult) and (missing := _find_open(call, pinned, result)):
        asked = fail("input_required", f"It asks before it does anything: {', '.join(missing)}.")
        return replace(asked, value={ANSWERS: [*missing]})
    if not isinstance(result, CallToolResult):
        detail = "The server asks for more than the call's arguments, which nobody here gives it."
        return doubt(effect, "input_required", detail, retryable=False)
    if result.is_error:
        return _judge_error(call, pinned, result)
    if result.structured_content is not None:
        return accept_value(call, result.structured_content, limit)
    if call.spec.output_schema is not None:
        return doubt(effect, "bad_output", "The server's answer has no structured content.", retryable=False)
    if len(result.content) == 1 and isinstance(result.content[0], TextContent):
        return accept_value(call, result.content[0].text, limit)
    return _accept(call, read_blocks(result.content), limit)


def _find_open(call: Call, pinned: Pinned, result: InputRequiredResult) -> list[str]:
    _, answers = take_answers(pinned.asks, call.arguments)
    return find_open(pinned.asks, result, answers)


def _accept(call: Call, read: tuple[list[Block], tuple[Part, ...]], limit_bytes: int) -> Outcome:
    """Return a success with what a model can read, and the parts beside it."""
    blocks, parts = read
    outcome = accept_value(call, blocks, limit_bytes)
    return replace(outcome, has_blocks=True, parts=parts) if outcome.status == "succeeded" else outcome


def _judge_error(call: Call, pinned: Pinned, result: CallToolResult) -> Outcome:
    """Judge an error that the tool reports: most servers word a refusal and a crash in the middle alike."""
    words = " ".join(block.text for block in result.content if isinstance(block, TextContent))
    detail = f"The tool reports an error: {words}"
    if pinned.error_is_refusal or call.spec.effect == "read":
        return fail("tool_refused", detail)
    return replace(
        doubt(call.spec.effect, "tool_error", detail, retryable=False), counts_against_breaker=False
    )
