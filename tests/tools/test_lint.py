"""Lint: which definitions a model that guesses misuses, and the narrow tools that a wide one comes to."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.formats import STRICT
from tools.lint import examine, split
from tools.lint.parameters import is_leaf, list_parameters
from tools.lint.words import MARKED_FORMATS, TELLING_FORMATS, WHOEVER, find_choices
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
    statement = "refund {order_id}"
    definition = ToolDefinition(
        "Does it.", effect, "honours_key", "http", schema, output_schema={}, statement=statement
    )
    return {(finding.code, finding.severity, finding.where) for finding in examine(name, definition)}


def test_a_narrow_tool_has_no_findings() -> None:
    properties: dict[str, Any] = GOOD["properties"]  # type: ignore[assignment]  # a dict of dicts
    assert found(properties, effect="reversible") == set()
    assert found({**properties, "dry_run": {"type": "boolean", "description": "Only look."}}) == set()


@pytest.mark.parametrize(
    ("statement", "has_preview", "severity"),
    [
        ("refund {order_id}", False, ["warning"]),
        ("refund it", False, ["error"]),
        ("refund it", True, []),
        ("refund {order_id[0]}", False, ["warning"]),
    ],
)
def test_what_cannot_be_undone_is_shown_beforehand(
    statement: str, has_preview: bool, severity: list[str]
) -> None:
    told = ToolDefinition(
        "Does it.", "irreversible", "none", "http", GOOD, output_schema={}, statement=statement
    )
    seen = examine("refund", told, has_preview=has_preview)
    assert [each.severity for each in seen if each.code == "no_preview"] == severity


def test_what_forms_hold_is_looked_at_too() -> None:
    wide = [{"type": "object", "properties": {f"{form}{n}": TEXT for n in range(6)}} for form in "ab"]
    for word in ("allOf", "anyOf", "oneOf"):
        assert ("mega_tool", "error", "") in found({"all": {**TEXT, "type": "object", word: wide}})


def test_a_map_is_no_object_of_anything() -> None:
    node = {"type": "object", "description": "By name.", "additionalProperties": TEXT}
    assert ("free_object", "warning", "/by") in found({"by": node})


def test_a_schema_that_unfolds_without_end_is_looked_at_in_part() -> None:
    node = {"type": "object", "properties": {f"p{n}": {"$ref": "#/$defs/n"} for n in range(30)}}
    more: dict[str, Any] = {"$defs": {"n": node}}
    assert ("mega_tool", "error", "") in found({"all": {"$ref": "#/$defs/n"}}, **more)


@pytest.mark.parametrize(
    ("properties", "finding"),
    [
        ({f"f{n}": TEXT for n in range(11)}, ("mega_tool", "error", "")),
        ({"all": {**TEXT, "type": "object", "additionalProperties": False,
                  "properties": {f"f{n}": TEXT for n in range(11)}}}, ("mega_tool", "error", "")),
        ({"action": {**TEXT, "enum": ["create", "delete_all"]}}, ("several_verbs", "error", "/action")),
        ({"kind": {**TEXT, "enum": ["refund", "cancel", "return"]}}, ("several_verbs", "warning", "/kind")),
        ({"mode": {**TEXT, "enum": ["a", "b"]}}, ("several_verbs", "error", "/mode")),
        ({"meta": {"type": "object", "description": "More."}}, ("free_object", "error", "/meta")),
        ({"meta": {"type": ["object", "null"], "description": "More."}}, ("free_object", "error", "/meta")),
        ({"to": {**TEXT, "type": "object", "properties": {"city": TEXT}}}, ("open_object", "warning", "/to")),
        ({"order_id": TEXT}, ("free_identifier", "warning", "/order_id")),
        ({"ids": {**TEXT, "type": "array", "items": {"type": "string"}}}, ("free_identifier", "warning", "/ids")),
        ({"to": TEXT}, ("no_format", "warning", "/to")),
        ({"reply_email": TEXT}, ("no_format", "warning", "/reply_email")),
        ({"webhook_url": TEXT}, ("no_format", "warning", "/webhook_url")),
        ({"recipients": {**TEXT, "type": "array", "items": TEXT}}, ("no_format", "warning", "/recipients")),
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


@pytest.mark.rude
@pytest.mark.slow
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
        assert len(narrow) <= 10
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


def missing_formats(properties: dict[str, Any], **more: Any) -> dict[str, str]:  # Any: JSON Schema, columns
    """Return the remedy for each place that lacks a format."""
    schema = {"type": "object", "properties": properties}
    told = ToolDefinition("Sends.", "reversible", "none", "http", schema, **more)
    return {each.where: each.remedy for each in examine("send", told) if each.code == "no_format"}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("email", "email"), ("customer_email_address", "email"), ("mail", "email"), ("link", "uri"),
        ("callback", "uri"),
        ("domain", "hostname"), ("file_path", "path"), ("filename", "path"), ("payee", "name"), ("last_name", "name"),
        ("cc", WHOEVER), ("sender", WHOEVER),
        ("text", ""), ("photo", ""), ("to_do", ""), ("order_id", ""), ("hostile", ""), ("blackmail", ""),
    ],
)  # fmt: skip
def test_what_a_place_holds_is_told_by_its_name(name: str, wanted: str) -> None:
    found = missing_formats({name: TEXT})
    assert found == ({f"/{name}": f"give it a format: {wanted}; or a pattern"} if wanted else {})


@pytest.mark.parametrize("held", [{"format": "email"}, {"pattern": "^A"}, {"enum": ["a"]}, {"const": "a"}])
def test_a_place_that_is_held_to_something_lacks_no_format(held: dict[str, Any]) -> None:
    assert missing_formats({"to": {**TEXT, **held}, "cc": {"type": "array", "items": {**TEXT, **held}}}) == {}
    assert missing_formats({"to": {"type": "boolean"}}) == {}


def test_a_place_that_is_marked_lacks_one_whatever_its_name_and_one_that_is_looked_up_does_not() -> None:
    properties = {
        "whom": TEXT,
        "page": TEXT,
        "text": TEXT,
        "in": {"type": "object", "properties": {"who": TEXT}},
    }
    marks = {"whom": "destination", "page": "url", "text": "content", "in.who": "identifier"}
    found = missing_formats(properties, provenance={"arguments": marks})
    assert {where: remedy.split(": ")[1] for where, remedy in found.items()} == {
        "/whom": f"{WHOEVER}; or a pattern",
        "/page": "uri; or a pattern",
        "/in/who": "identifier; or a pattern",
    }  # fmt: skip
    looked_up = {"whom": {"tool": "find", "value": "id"}}
    assert "/whom" not in missing_formats(properties, provenance={"arguments": marks}, resolvers=looked_up)


def test_the_formats_that_are_asked_for_are_those_that_there_are() -> None:
    told = [*MARKED_FORMATS.values(), *(told for _, told in TELLING_FORMATS)]
    assert {name for each in told for name in re.findall(r"\w+", each)} - {"or"} <= STRICT.keys()


def errors_of(name: str, schema: dict[str, Any]) -> int:
    told = ToolDefinition("Does it.", "reversible", "none", "http", schema, output_schema={})
    return sum(each.severity == "error" for each in examine(name, told))


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("manage_user", {"action": {"enum": ["create", "delete"]}, **{f"f{n}": TEXT for n in range(12)}}),
        ("make_order", {"all": {"type": "object", "properties": {f"f{n}": TEXT for n in range(25)}}}),
        ("create_or_update_user", {"name": TEXT}),
        ("set", {f"{where}_{n}": TEXT for where in ("home", "work", "x") for n in range(9)}),
    ],
)
def test_what_comes_of_a_split_lints_cleaner(name: str, properties: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": properties}
    tools = split(name, "Does a lot.", schema)
    assert errors_of(name, schema) > 0
    assert len({tool.name for tool in tools}) == len(tools) > 1
    for tool in tools:
        assert (check_schema(tool.input_schema), errors_of(tool.name, tool.input_schema)) == ([], 0)
