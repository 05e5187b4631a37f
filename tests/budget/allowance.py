"""Turns of a provider that takes all it may, or more: what it was allowed stands in the request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from runs.planner.messages import encode_json
from tests.runs.planner.provider import Conversation, Turn, call, completion

# What a provider reports for a request: prompt and completion tokens.
Meter = Callable[[dict[str, Any]], tuple[int, int]]


def take_everything(body: dict[str, Any]) -> tuple[int, int]:
    """Count one token per byte, as the worst of tokenizers would, and fill the completion to its limit."""
    return len(encode_json(body)), body["max_completion_tokens"]


def take_more(tokens: int) -> Meter:
    """Ignore the completion limit."""

    def measure(body: dict[str, Any]) -> tuple[int, int]:
        prompt, completion_tokens = take_everything(body)
        return prompt, completion_tokens + tokens

    return measure


def request_of(conversation: Conversation) -> dict[str, Any]:
    """Return the request that a conversation is about; those of others have been noted since."""
    port = conversation.client_address[1]
    received = conversation.server.provider.received
    return next(each.body for each in reversed(received) if each.client_port == port)


def look_up_then(measure: Meter, *, answer_after: int | None = None, calls: int = 1) -> Turn:
    """Propose look-ups, other ones each time, or give the answer after so many turns."""

    def turn(conversation: Conversation) -> None:
        body = request_of(conversation)
        turns = sum(message["role"] == "assistant" for message in body["messages"])
        conversation.send(
            200, _answer(measure(body), turns, answer_after, calls), {"Content-Type": "application/json"}
        )

    return turn


def _answer(used: tuple[int, int], turns: int, answer_after: int | None, calls: int) -> bytes:
    usage = {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}
    if turns == answer_after:
        return json.dumps(completion(usage=usage)).encode()
    proposed = [
        call(json.dumps({"order_id": f"A-{turns}-{number}"}), "look_up", id=f"call_{number}")
        for number in range(calls)
    ]
    document = completion(message={"content": None, "tool_calls": proposed}, usage=usage)
    return json.dumps(document).encode()
