"""Bounds of prompts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.planner.estimates import upper_bound_tokens
from runs.planner.messages import Message, ToolSchema
from tests.runs.planner.provider import call

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def user(content: object) -> Message:
    return {"role": "user", "content": content}


def tool(description: str = "", schema: dict[str, Any] | None = None) -> ToolSchema:
    return ToolSchema("get_order", description, schema or {"type": "object"})


@given(st.lists(TEXT, max_size=5), TEXT)
def test_every_byte_may_be_a_token(contents: list[str], description: str) -> None:
    text = sum(len(content.encode()) for content in contents) + len(description.encode())
    bound = upper_bound_tokens([user(content) for content in contents], [tool(description)])
    # Besides the text: 5 tokens around each message, 804 for a provider's words on tools.
    assert bound >= text + 5 * len(contents) + 804


@given(TEXT)
def test_a_template_that_escapes_and_indents_stays_within(text: str) -> None:
    """As Llama 3.1 prints tools: JSON with an indentation of 4; a run of white space counts as 3 tokens."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "description": text}, "b": {}}}
    printed = json.dumps(schema, indent=4, ensure_ascii=False)
    lines = printed.splitlines()
    tokens = sum(len(line.strip().encode()) for line in printed.split("\n")) + 3 * len(lines)
    assert upper_bound_tokens([user("")], [tool("", schema)]) >= tokens


def test_calls_in_the_history_count_with_their_escapes() -> None:
    arguments = json.dumps({"text": '"' * 1000})
    message = {"role": "assistant", "content": None, "tool_calls": [call(arguments)]}
    assert upper_bound_tokens([message], []) >= len(json.dumps(arguments))


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_more_messages_or_tools_never_lower_the_bound(contents: list[str]) -> None:
    messages = [user(content) for content in contents]
    assert upper_bound_tokens(messages, []) > upper_bound_tokens(messages[:-1], [])
    assert upper_bound_tokens(messages, [tool()]) > upper_bound_tokens(messages, [])


def test_the_bound_is_not_absurd() -> None:
    """A short conversation is a few hundred tokens; its bound stays within the same order."""
    messages = [user("Where is my order?"), {"role": "assistant", "content": "Let me look."}]
    assert upper_bound_tokens(messages, []) < 500


@pytest.mark.parametrize(
    "content", [[{"type": "image_url", "image_url": {"url": "x"}}], [{"type": "input_audio"}], ["text"], [{}]]
)
def test_what_is_not_text_has_no_bound(content: object) -> None:
    with pytest.raises(ValueError, match="only text"):
        upper_bound_tokens([user(content)], [])


def test_text_in_parts_has_one() -> None:
    assert upper_bound_tokens([user([{"type": "text", "text": "Hello"}])], []) > 5
