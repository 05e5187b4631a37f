"""Tool calls as models write them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.strict_json import MalformedJSON
from runs.planner.answers import ProposedCall
from runs.planner.calls import (
    MAX_ARGUMENT_BYTES,
    is_tool_name,
    parse_arguments,
    read_calls,
)
from tests.runs.planner.provider import call


def read_one(entry: object) -> ProposedCall:
    (proposed,) = read_calls([entry], cut_short=False)
    return proposed


def nested(depth: int) -> str:
    """Return an object with `depth` containers around each other."""
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("{}", {}),
        (' {"a": [1, 2.5, null, true, "x"]}\n', {"a": [1, 2.5, None, True, "x"]}),
        ('{"a": {"b": 1}, "b": {"b": 2}}', {"a": {"b": 1}, "b": {"b": 2}}),
        ('{"name": "J\\u00f6rg \\ud83d\\ude00"}', {"name": "Jörg 😀"}),
        ('{"text": "a literal \\\\u0000"}', {"text": "a literal \\u0000"}),
        (nested(64), json.loads(nested(64))),
        ('{"a": "' + "[" * 100 + '"}', {"a": "[" * 100}),
        ('{"id": 12345678901234567890}', {"id": 12345678901234567890}),
    ],
)
def test_an_object_is_read(raw: str, value: dict[str, Any]) -> None:
    assert parse_arguments(raw) == value


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        ("", "Expecting value at character 0"),
        ("refund 50", "Expecting value at character 0"),
        ('{"a": 1', "Expecting ',' delimiter at character 7"),
        ('{"a": 1} {"b": 2}', "Extra data at character 9"),
        ("{'a': 1}", "Expecting property name enclosed in double quotes at character 1"),
        ("null", "not an object"),
        ("[]", "not an object"),
        ('"{}"', "not an object"),
        ("5", "not an object"),
        ('{"amount": 1, "amount": 100}', "a key occurs twice"),
        ('{"a": {"b": 1, "b": 1}}', "a key occurs twice"),
        ('{"amount": 1, "\\u0061mount": 100}', "a key occurs twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": Infinity}', "Infinity is not JSON"),
        ('{"a": -Infinity}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "a number is out of range"),
        ('{"a": ' + "9" * 5000 + "}", "a number is too long"),
        (nested(65), "nested deeper than 64"),
        ('{"a":' * 65 + "1" + "}" * 65, "nested deeper than 64"),
        ('{"a":' * 100_000, "longer than 262144 bytes"),
        ('{"a":' * 20_000, "nested deeper than 64"),
        ('{"a": "x\\u0000"}', "a text contains NUL or half of a surrogate pair"),
        ('{"a\\u0000": 1}', "a text contains NUL or half of a surrogate pair"),
        ('{"a": "\\ud800"}', "a text contains NUL or half of a surrogate pair"),
        ('{"a": "\ud800"}', "a text contains NUL or half of a surrogate pair"),
        ('{"a": "' + "x" * MAX_ARGUMENT_BYTES + '"}', "longer than 262144 bytes"),
        ('{"a": "' + "ü" * (MAX_ARGUMENT_BYTES // 2) + '"}', "longer than 262144 bytes"),
    ],
)
def test_anything_else_is_malformed_and_says_why(raw: str, detail: str) -> None:
    with pytest.raises(MalformedJSON) as raised:
        parse_arguments(raw)
    assert str(raised.value) == detail


def test_arguments_of_exactly_256_kib_are_read() -> None:
    raw = '{"a": "' + "x" * (MAX_ARGUMENT_BYTES - 9) + '"}'
    assert len(raw) == MAX_ARGUMENT_BYTES
    assert len(parse_arguments(raw)["a"]) == MAX_ARGUMENT_BYTES - 9


@given(st.text())
def test_no_text_raises_anything_but_malformed(raw: str) -> None:
    with contextlib.suppress(MalformedJSON):
        assert isinstance(parse_arguments(raw), dict)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
        st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none(),
    )
)
def test_what_json_writes_is_read_back(value: dict[str, Any]) -> None:
    assert parse_arguments(json.dumps(value)) == value
    assert parse_arguments(json.dumps(value, ensure_ascii=False)) == value


def test_a_malformed_call_keeps_what_the_model_wrote() -> None:
    proposed = read_one(call('{"amount": '))
    assert (proposed.problem, proposed.arguments) == ("malformed_arguments", None)
    assert (proposed.name, proposed.raw_arguments) == ("get_order", '{"amount": ')
    assert proposed.problem_detail == "Expecting value at character 11"


@pytest.mark.parametrize("arguments", [None, {}, {"order_id": "W1"}, 5, ["{}"]])
def test_arguments_that_are_no_string_are_malformed(arguments: object) -> None:
    proposed = read_one(call(arguments))
    assert (proposed.problem, proposed.problem_detail) == ("malformed_arguments", "not a string")


def test_oversized_arguments_are_kept_up_to_the_limit() -> None:
    proposed = read_one(call('{"a": "' + "ü" * MAX_ARGUMENT_BYTES))
    assert proposed.problem == "malformed_arguments"
    assert len(proposed.raw_arguments.encode()) in (MAX_ARGUMENT_BYTES - 1, MAX_ARGUMENT_BYTES)


def test_what_is_kept_can_be_stored() -> None:
    proposed = read_one(call("\x00\ud800", name="get\x00order"))
    assert (proposed.raw_arguments, proposed.name) == ("\ufffd\ufffd", "get\ufffdorder")


@pytest.mark.parametrize("name", ["a", "A-b_9", "x" * 64])
def test_a_name_of_the_field_is_taken(name: str) -> None:
    assert read_one(call(name=name)).problem is None


@pytest.mark.parametrize(
    "name",
    ["", " ", "get order", "get.order", "größe", "get_order\n", "x" * 65, "x" * 1000, "a/b", None, 7, ["a"]],
)
def test_any_other_name_is_invalid_and_has_no_arguments(name: object) -> None:
    proposed = read_one(call(name=name))
    assert (proposed.problem, proposed.arguments) == ("invalid_name", None)
    assert not is_tool_name(proposed.name)


@pytest.mark.parametrize(
    "entry",
    [None, "get_order", [], {}, {"id": "x", "type": "custom", "custom": {}}, {"function": None}],
)
def test_an_entry_that_is_no_function_call(entry: object) -> None:
    proposed = read_one(entry)
    assert (proposed.name, proposed.problem, proposed.arguments) == ("", "malformed_call", None)


def test_ids_are_unique_and_the_provider_s_own_where_possible() -> None:
    given_ids = ["a", "a", None, "", 7, "x" * 200, "call_2", "a\x00", "call_1_1", "b"]
    calls = read_calls([call(id=given_id) for given_id in given_ids], cut_short=False)
    ids = [proposed.provider_call_id for proposed in calls]
    assert len(set(ids)) == len(ids)
    assert ids[0] == "a"
    assert ids[-1] == "b"
    assert all(0 < len(call_id) <= 128 and call_id.isprintable() for call_id in ids)


@given(
    st.lists(st.sampled_from(["", "a", "call_0", "call_1", "call_1_1", "call_2", "call_2_1"]), max_size=64)
)
def test_ids_are_always_unique(given_ids: list[str]) -> None:
    calls = read_calls([call(id=given_id) for given_id in given_ids], cut_short=False)
    assert len({proposed.provider_call_id for proposed in calls}) == len(given_ids)


def test_only_the_last_call_of_a_short_turn_is_truncated() -> None:
    calls = read_calls([call(), call("{"), call()], cut_short=True)
    assert [proposed.problem for proposed in calls] == [None, "malformed_arguments", "truncated"]


def test_beyond_64_the_cut_call_is_not_among_the_kept() -> None:
    calls = read_calls([call() for _ in range(65)], cut_short=True)
    assert [proposed.problem for proposed in calls] == [None] * 64
