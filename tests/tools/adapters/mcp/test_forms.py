"""The forms that a tool may ask for: what may be declared, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from tools.adapters.mcp.config import find_faults
from tools.adapters.mcp.forms import add_answers, find_form_faults, take_answers
from tools.schemas import check_schema

FORM: dict[str, Any] = {
    "type": "object",
    "description": "Who is it for?",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}
TOOL = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
CONFIG = {
    "server": "0199c1c0-0000-7000-8000-000000000000", "tool": "refund", "digest": "0" * 64,
    "url": "https://shop.example/mcp",
}  # fmt: skip


@pytest.mark.parametrize(
    ("asks", "remedy"),
    [
        ({"who": FORM}, ""),
        ({}, "at most 10 forms"),
        ([FORM], "at most 10 forms"),
        ({f"form{number}": FORM for number in range(11)}, "at most 10 forms"),
        ({"who is it": FORM}, "name the form"),
        ({"who": {**FORM, "type": "array"}}, "JSON Schema of an object"),
        ({"who": {**FORM, "additionalProperties": True}}, "JSON Schema of an object"),
        ({"who": {**FORM, "description": " "}}, "say in the description"),
        ({"who": {**FORM, "properties": {}}}, "1 to 20 properties"),
        ({"who": {**FORM, "properties": {"name": {"type": "object"}}}}, "make name of asks.who one of"),
        ({"who": {**FORM, "properties": {"name": {"type": ["string"]}}}}, "make name of asks.who one of"),
        ({"who": {**FORM, "required": ["street"]}}, "let required of asks.who"),
        ({"who": "a form"}, "JSON Schema of an object"),
    ],
)
def test_a_form_is_flat_and_says_what_is_asked(asks: object, remedy: str) -> None:
    faults = find_form_faults(asks)
    assert [remedy in fault for fault in faults] == ([True] if remedy else [])


def test_a_token_that_is_bound_to_arguments_goes_with_no_questions() -> None:
    assert find_faults({**CONFIG, "asks": {"who": FORM}}, {}) == []
    [fault] = find_faults({**CONFIG, "asks": {"who": FORM}, "audience": "https://shop.example"}, {})
    assert "leave asks or audience out" in fault


def test_answers_are_one_more_argument_and_are_not_sent_as_one() -> None:
    schema = add_answers(TOOL, {"who": FORM})
    assert (check_schema(schema), schema["required"]) == ([], ["order"])
    assert schema["properties"]["answers"]["properties"]["who"]["additionalProperties"] is False
    arguments = {"order": "A-1", "answers": {"who": {"name": "Ann"}}}
    assert take_answers({"who": FORM}, arguments) == ({"order": "A-1"}, {"who": {"name": "Ann"}})
    assert take_answers({}, arguments) == (arguments, {}), (
        "a tool that has such an argument of its own keeps it"
    )
