"""Lint: which definitions a model that guesses misuses, and the narrow tools that a wide one comes to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.lint import examine, split
from tools.lint.parameters import is_leaf, list_parameters
from tools.lint.words import find_choices
from tools.schemas import check_schema
from tools.services.definition import ToolDefinition

TEXT = {"type": "string", "description": "Some words.", "maxLength": 20}
GOOD = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "pattern": "^A-[0-9]+$", "description": "The order."},
        "reason": {"enum": ["damaged", "late"], "description": "Why."},
    },
    "required": ["order_id"],
    "additionalProperties": False,
}


def found(
    properties: dict[str, Any], name: str = "refund", effect: str = "irreversible", **more: Any
) -> set[tuple[str, str, str]]:
    schema = {**GOOD, "properties": properties, "required": [], **more}
    definition = ToolDefinition("Does it.", effect, "honours_key", "http", schema, output_schema={})
    return {(finding.code, finding.severity, finding.where) for finding in examine(name, definition)}


def test_a_narrow_tool_has_no_findings() -> None:
    assert found(GOOD["properties"]) == set()  # type: ignore[arg-type]  # a dict of dicts


@pytest.mark.parametrize(
    ("properties", "finding"),
    [
        ({f"f{n}": TEXT for n in range(11)}, ("mega_tool", "error", "")),
        ({"all": {**TEXT, "type": "object", "additionalProperties": False,
                  "properties": {f"f{n}": TEXT for n in range(11)}}}, ("mega_tool", "error", "")),
        ({"action": {**TEXT, "enum": ["create", "delete_all"]}}, ("several_verbs", "error", "/action")),
        ({"kind": {**TEXT, "enum": ["refund", "cancel", "return"]}}, ("several_verbs", "error", "/kind")),
        ({"mode": {**TEXT, "enum": ["a", "b"]}}, ("several_verbs", "error", "/mode")),
        ({"meta": {"type": "object", "description": "More."}}, ("free_object", "error", "/meta")),
        ({"meta": {"type": ["object", "null"], "description": "More."}}, ("free_object", "error", "/meta")),
        ({"to": {**TEXT, "type": "object", "properties": {"city": TEXT}}}, ("open_object", "warning", "/to")),
        ({"order_id": TEXT}, ("free_identifier", "warning", "/order_id")),
        ({"ids": {**TEXT, "type": "array", "items": {"type": "string"}}}, ("free_identifier", "warning", "/ids")),
        ({"idempotency_key": TEXT}, ("invented_key", "error", "/idempotency_key")),
        ({"created_at": TEXT}, ("invented_moment", "warning", "/created_at")),
        ({"speed": {**TEXT, "description": "One of slow, fast or express."}}, ("open_string", "warning", "/speed")),
        ({"speed": {"type": "string"}}, ("no_description", "warning", "/speed")),
    ],
)  # fmt: skip
def test_each_rule_names_its_place(properties: dict[str, Any], finding: tuple[str, str, str]) -> None:
    assert finding in found(properties)


def test_what_only_reads_is_judged_more_mildly() -> None:
    properties = {"meta": {"type": "object", "description": "More."}, "nonce": TEXT}
    assert {severity for _, severity, _ in found(properties, effect="read")} == {"warning"}


@pytest.mark.parametrize(
    ("name", "says"), [("create_or_update_user", True), ("find_user_by_name_and_zip", False)]
)
def test_a_name_of_several_verbs(name: str, says: bool) -> None:
    assert (("several_verbs", "error", "") in found({}, name)) is says


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        ("One of slow, fast, or express", ["slow", "fast", "express"]),
        ("either 'card' or 'cash'", ["card", "cash"]),
        ('"a" | "b"|"c"', ["a", "b", "c"]),
        ("The id, such as 'A-1' or 'B-2'.", []),
        ("Any words, at most ten.", []),
    ],
)
def test_choices_are_read_out_of_words(words: str, choices: list[str]) -> None:
    assert find_choices(words) == choices


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    more: dict[str, Any] = {"$defs": {"node": node}}
    assert found({"first": {"$ref": "#/$defs/node"}}, **more)


# --- splitting --------------------------------------------------------------------------------------------

names = st.from_regex(r"[a-z]{1,6}(_[a-z]{1,6})?(_id)?", fullmatch=True).filter(lambda name: name != "action")
leaves = st.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": "boolean"}])
objects = st.dictionaries(names, leaves, min_size=1, max_size=4).map(
    lambda p: {"type": "object", "properties": p}
)
wide = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(names, leaves | objects, min_size=1, max_size=30),
    }
)
verbs = st.sampled_from([None, ["create", "update"], ["open", "close", "archive"]])


@given(wide, verbs, st.data())
def test_the_narrow_tools_take_together_what_the_wide_one_takes(
    schema: dict[str, Any], chosen: list[str] | None, data: st.DataObject
) -> None:
    fields = list(schema["properties"])
    schema["required"] = data.draw(st.lists(st.sampled_from(fields), unique=True, max_size=4))
    if chosen:
        schema["properties"]["action"] = {"enum": chosen}
    tools = split("manage_things", "Things.", schema)
    names = [tool.name for tool in tools]
    assert len(set(names)) == len(names)
    assert set().union(*(tool.input_schema["properties"] for tool in tools)) | (
        {"action"} if chosen else set()
    ) == {*schema["properties"]}
    for tool in tools:
        assert check_schema(tool.input_schema) == []
        narrow = [each for each in list_parameters(tool.input_schema) if is_leaf(each.schema)]
        alone = [name for name, node in tool.input_schema["properties"].items() if node.get("properties")]
        assert len(narrow) <= 10 or len(alone) > 1, "only objects as they are can make one wide"
        assert set(tool.input_schema["required"]) <= set(schema["required"])


def test_a_call_of_a_narrow_tool_is_one_of_the_wide_one() -> None:
    schema = {
        "type": "object",
        "properties": {"action": {"enum": ["create", "update"]}, "user_id": {"type": "string"},
                       **{f"{where}_{n}": {"type": "string"} for where in ("home", "work") for n in "abcdef"}},
        "required": ["action", "user_id"], "additionalProperties": False,
    }  # fmt: skip
    tools = split("manage_address", "Addresses.", schema)
    assert [tool.name for tool in tools] == [
        "create_address_home", "create_address_work", "update_address_home", "update_address_work",
    ]  # fmt: skip
    for tool in tools:
        arguments = dict.fromkeys(tool.input_schema["properties"], "x")
        jsonschema_rs.validate(tool.input_schema, arguments)
        jsonschema_rs.validate(schema, {**arguments, **tool.fixed})


def test_an_identifier_that_is_looked_up_is_not_free() -> None:
    schema = {"type": "object", "properties": {"order_id": {"type": "string", "description": "Which order."}}}
    free = ToolDefinition("Looks.", "read", "none", "http", schema)
    found = [
        {finding.code for finding in examine("look_up", definition)}
        for definition in (free, replace(free, resolvers={"order_id": {"tool": "find", "value": "id"}}))
    ]
    assert ["free_identifier" in each for each in found] == [True, False]
