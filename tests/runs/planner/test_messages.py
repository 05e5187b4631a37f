"""Requests that can be sent, and a history that can be sent again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runs.planner.answers import ProposedCall
from runs.planner.calls import read_calls
from runs.planner.messages import ToolSchema, assistant_message, encode_request, tool_message
from tests.runs.planner.provider import call
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


def test_a_sound_turn_is_replayed_as_it_was() -> None:
    calls = (ProposedCall("get_order", {"a": 1}, '{"a": 1}', "call_a", None),)
    assert assistant_message("Let me look.", calls) == {
        "role": "assistant",
        "content": "Let me look.",
        "tool_calls": [
            {
                "id": "call_a",
                "type": "function",
                "function": {"name": "get_order", "arguments": '{"a": 1}'},
            }
        ],
    }
    assert assistant_message("", calls)["content"] is None


def test_a_turn_without_calls_has_no_empty_list_of_them() -> None:
    assert assistant_message("Done.", ()) == {"role": "assistant", "content": "Done."}


def test_a_broken_turn_is_replayed_so_that_servers_take_it() -> None:
    entries = [call("{"), call(name="größe"), None, call('{"a": 1}', name="x" * 65), call("{}")]
    calls = read_calls(entries, cut_short=True)
    replayed = assistant_message("", calls)["tool_calls"]
    assert [entry["function"]["name"] for entry in replayed] == [
        "get_order",
        "invalid_call",
        "invalid_call",
        "invalid_call",
        "get_order",
    ]
    assert [json.loads(entry["function"]["arguments"]) for entry in replayed] == [{}] * 5
    assert [entry["id"] for entry in replayed] == [proposed.provider_call_id for proposed in calls]


def test_a_truncated_call_with_a_bad_name_is_renamed_too() -> None:
    (truncated,) = read_calls([call("{", name="größe")], cut_short=True)
    assert assistant_message("", [truncated])["tool_calls"][0]["function"]["name"] == "invalid_call"


def test_an_observation() -> None:
    assert tool_message("call_a", "no such order") == {
        "role": "tool",
        "tool_call_id": "call_a",
        "content": "no such order",
    }
