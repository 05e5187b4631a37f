"""Requests that can be sent."""

from __future__ import annotations

from typing import Any

import pytest

from runs.planner.messages import ToolSchema, encode_request
from tests.runs.planner.questions import question


@pytest.mark.parametrize(
    "changes",
    [
        {"model": ""},
        {"messages": ()},
        {"max_completion_tokens": 0},
        {"timeout_s": 0.0},
        {"timeout_s": -1.0},
        {"timeout_s": float("nan")},
        {"traceparent": "00-xyz-01"},
        {"traceparent": question().traceparent + "\r\nX-Injected: 1"},
        {"traceparent": question().traceparent + "\n"},
        {"tracestate": "congo"},
        {"tracestate": "a=1\r\nX-Injected: 1"},
        {"tracestate": "a=1", "traceparent": ""},
    ],
)
def test_a_request_that_no_provider_could_take_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|needs|not"):
        question(**changes)


@pytest.mark.parametrize("name", ["", "get.order", "größe", "x" * 65])
def test_a_tool_that_no_provider_would_take_cannot_be_made(name: str) -> None:
    with pytest.raises(ValueError, match="tool name"):
        ToolSchema(name, "", {})


def test_a_request_is_compact_utf_8() -> None:
    body = encode_request(question(messages=({"role": "user", "content": "Größe 😀"},), tools=()))
    messages = '[{"role":"user","content":"Größe 😀"}]'
    assert body == f'{{"model":"model-1","messages":{messages},"max_completion_tokens":500}}'.encode()


@pytest.mark.parametrize("content", [float("nan"), float("inf"), "\ud800", object(), b"x"])
def test_what_json_cannot_carry_is_refused(content: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_request(question(messages=({"role": "user", "content": content},)))
