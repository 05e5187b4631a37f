"""From a turn to the JSON of a chat completion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from agentops.demo.planner.script import Turn
from agentops.demo.planner.template import Source, expand, expand_text
from agentops.demo.planner.usage import Spent, Texts, estimate_tokens, limit_completion

if TYPE_CHECKING:
    from agentops.demo.planner.conversation import Conversation, JsonObject
    from agentops.demo.planner.script import ToolCall

# A repeated request must get the same bytes, so the answer's time is fixed: 2026-01-01T00:00:00Z.
CREATED = 1_767_225_600
NO_TOOLS = Turn(
    content="I was asked to answer without tools, and I have nothing to add to what was done so far."
)
EMPTY = Turn(content="")


def build_completion(
    turn: Turn, conversation: Conversation, prompt_length: int, captured: dict[str, str]
) -> JsonObject:
    """Return the chat completion that plays the turn.

    `prompt_length` (characters of the request) is what prompt tokens are estimated from, `captured` what the
    script's pattern found in the request. Raises TemplateError
    when the turn refers to a tool result that the conversation does not hold.
    """
    if turn.tool_calls and not conversation.may_call_tools:
        turn = turn if turn.content else NO_TOOLS
    texts = write_texts(turn, conversation, captured)
    texts, spent, cut = limit_completion(texts, count_tokens(turn, texts, prompt_length), conversation.limit)
    finish_reason = "length" if cut else turn.finish_reason or ("tool_calls" if texts.calls else "stop")
    return {
        "id": f"chatcmpl-{conversation.digest[:24]}",
        "object": "chat.completion",
        "created": CREATED,
        "model": conversation.model,
        "system_fingerprint": "scripted",
        "choices": [
            {
                "index": 0,
                "message": write_message(texts, conversation.digest),
                "logprobs": None,
                "finish_reason": finish_reason,
            }
        ],
        "usage": spent.as_json(),
    }


def write_texts(turn: Turn, conversation: Conversation, captured: dict[str, str]) -> Texts:
    """Return the turn's texts with its expressions looked up."""
    source = Source(conversation.results, captured)
    calls = turn.tool_calls if conversation.may_call_tools else ()
    return Texts(
        thought=expand_text(turn.thought, source),
        content=expand_text(turn.content, source),
        refusal=expand_text(turn.refusal, source),
        calls=tuple((call.name, write_arguments(call, source)) for call in calls),
    )


def write_arguments(call: ToolCall, source: Source) -> str:
    """Return a call's arguments as the text a model writes."""
    if isinstance(call.arguments, str):
        return call.arguments
    return json.dumps(expand(call.arguments, source), ensure_ascii=False)


def count_tokens(turn: Turn, texts: Texts, prompt_length: int) -> Spent:
    """Return the counts that the script states, and estimates for the others."""
    stated = turn.usage
    completion = stated.completion_tokens
    if completion is None:
        completion = max(1, estimate_tokens(texts.length))
    prompt = stated.prompt_tokens
    if prompt is None:
        prompt = max(1, estimate_tokens(prompt_length))
    reasoning = stated.reasoning
    if reasoning is None:
        reasoning = estimate_tokens(len(texts.thought or ""))
    return Spent(prompt, completion, min(stated.cached, prompt), min(reasoning, completion))


def write_message(texts: Texts, digest: str) -> dict[str, Any]:  # Any: the API's message object
    """Return the assistant message; `reasoning_content` and `tool_calls` only where there are any."""
    message: dict[str, Any] = {"role": "assistant", "content": texts.content, "refusal": texts.refusal}
    if texts.thought:
        message["reasoning_content"] = texts.thought
    if texts.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{digest[:20]}_{number}",
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for number, (name, arguments) in enumerate(texts.calls)
        ]
    return message
