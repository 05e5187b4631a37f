"""Operations of a document, as tools would take them over: what is sent as told, and what is refused and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tools.openapi.documents import OK, body, document, operation, query, shop
from tools.adapters.http.config import find_faults
from tools.openapi import list_operations, read_document, server_of
from tools.schemas import check_schema

Node = Any  # Any: JSON
TEXT = {"type": "string"}
PATHS = "/orders/{order-id}"


def test_an_operation_is_read_with_all_that_it_says() -> None:
    told = shop()[f"GET {PATHS}"].values

    assert told["description"] == "Look an order up"
    assert told["proposed"] == {"name": "shop_getOrder", "effect": "read"}
    assert told["servers"] == ["https://eu.shop.example/v1"]
    assert told["security"] == [{"name": "key", "header": "X-Api-Key", "scheme": ""}]
    schema = told["input_schema"]
    assert (schema["required"], schema["additionalProperties"]) == (["order_id"], False)
    assert schema["properties"]["order_id"] == {
        "type": "string", "pattern": "^A-[0-9]+$", "description": "The order."}  # fmt: skip
    assert schema["properties"]["filter"]["additionalProperties"] is False
    assert told["request"] == {
        "method": "GET", "path": "/orders/{order_id}", "body": "none",
        "arguments": {
            "order_id": {"in": "path", "name": "order-id"},
            "fields": {"in": "query", "explode": False},
            "filter": {"in": "query", "style": "deepObject"},
            "X_Region": {"in": "header", "name": "X-Region"},
        },
    }  # fmt: skip


def test_a_change_is_read_without_what_is_only_read_and_its_key_is_no_argument() -> None:
    told = shop()[f"PATCH {PATHS}"].values
    properties = told["input_schema"]["properties"]

    assert list(properties) == ["order_id", "If_Match", "note", "discount", "total", "code", "parts"]
    assert (told["idempotency"], told["proposed"]["effect"]) == ("honours_key", "irreversible")
    assert told["annotations"] == {"readOnlyHint": False}
    assert told["request"]["content_type"] == "application/merge-patch+json"
    assert told["request"]["empty_statuses"] == [202]
    assert properties["note"] == {"type": ["string", "null"], "description": "A note."}
    assert properties["discount"] == {"type": "integer", "exclusiveMinimum": 0}
    assert (
        properties["parts"]["items"] == {"$ref": "#/$defs/Order"}
        or "properties" in properties["parts"]["items"]
    )
    answer = told["output_schema"]["anyOf"]
    assert {"type": "null"} in answer
    order = next(part for part in answer if "properties" in part)
    assert "code" not in order["properties"]
    assert order["required"] == ["id", "note"]
    assert order["properties"]["total"]["anyOf"][1] == {"type": "null"}


def test_a_form_and_what_is_deprecated_are_said() -> None:
    told = shop()["POST /orders"].values
    assert told["request"]["body"] == "form"
    assert told["annotations"] == {"deprecated": True}
    assert "deprecated" in told["notes"][0]


def test_our_own_document_is_read_whole() -> None:
    text = (Path(__file__).parents[3] / "docs/openapi.yaml").read_text()
    operations = list_operations(read_document(text))
    assert len(operations) >= 38
    for each in operations:
        assert each.faults == [], each.name
        request = dict(each.values["request"])
        path = request.pop("path")
        assert find_faults({**request, "url": f"https://agentops.example{path}"}) == []
        assert check_schema(each.values["input_schema"]) == []


@pytest.mark.parametrize(
    ("told", "more", "words"),
    [
        (query({"type": "object"}), {}, "properties are not declared"),
        (query({"type": "array", "items": {"type": "object"}}), {}, "list of something else"),
        (query(TEXT, style="deepObject"), {}, "deepObject"),
        (query({"type": "array", "items": TEXT}, style="pipeDelimited", explode=True), {}, "pipeDelimited"),
        (query(TEXT, style="matrix"), {}, "style 'matrix'"),
        ({"parameters": [{"name": "s", "in": "cookie", "required": True}]}, {}, "cookie"),
        ({"parameters": [{"name": "X-Api-Token", "in": "header", "required": True}]}, {}, "credential"),
        ({"parameters": [{"name": "Host", "in": "header", "required": True}]}, {}, "set for every call"),
        ({"parameters": [{"name": "id", "in": "path", "schema": TEXT}]}, {}, "is not"),
        ({}, {"path": "/x/{id}"}, "no parameter declares"),
        ({}, {"path": "/x?y=1"}, "query"),
        ({}, {"method": "trace"}, "not sent"),
        (body({}, "multipart/form-data"), {"method": "post"}, "multipart"),
        (body({}), {"method": "get"}, "body with GET"),
        (body({"type": "object"}, "application/x-www-form-urlencoded"), {"method": "post"}, "declared fields"),
        ({"responses": {"200": {"description": "", "content": {"text/csv": {}}}}}, {}, "no JSON"),
        ({"security": [{"key": []}]}, {}, "does not describe"),
        ({"security": [{"a": [], "b": []}]}, {}, "several credentials"),
        (query({"$dynamicRef": "#x"}), {}, "dynamic"),
        ({"parameters": [{"name": "q", "in": "query", "content": {"text/x": {}}}]}, {}, "plain value"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_as_told_is_refused_with_the_reason(told: Node, more: Node, words: str) -> None:
    found = operation(told, **more).faults
    assert found
    assert words in found[0]


@pytest.mark.parametrize("kind", ["query", "cookie"])
def test_a_key_that_no_header_carries_is_refused_unless_another_way_in_is_open(kind: str) -> None:
    schemes: Node = {
        "k": {"type": "apiKey", "in": kind, "name": "key"},
        "b": {"type": "http", "scheme": "bearer"},
    }
    more: Node = {"components": {"securitySchemes": schemes}}
    assert kind in operation({"security": [{"k": []}]}, **more).faults[0]
    either = operation({"security": [{"k": []}, {"b": []}]}, **more)
    assert [way["scheme"] for way in either.values["security"]] == ["Bearer"]
    assert operation({"security": [{"k": []}, {}]}, **more).values["security"] == []


def test_what_is_left_out_is_said() -> None:
    told = operation({"parameters": [{"name": "s", "in": "cookie"}, {"name": "Accept", "in": "header"}]})
    assert list(told.values["input_schema"]["properties"]) == []
    assert "cookie" in told.values["notes"][0]


def test_names_of_one_place_do_not_hide_those_of_another() -> None:
    told = operation(
        {"parameters": [{"name": "id", "in": "path"}, {"name": "id", "in": "query"}], **body(
            {"type": "object", "properties": {"id": TEXT, "9 lives": TEXT}})},
        "put", "/x/{id}",
    )  # fmt: skip
    assert told.values["request"]["arguments"] == {
        "id": {"in": "path"},
        "id_in_query": {"name": "id", "in": "query"},
        "id_in_body": {"name": "id", "in": "body"},
        "_9_lives": {"name": "9 lives", "in": "body"},
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": TEXT},
        {"oneOf": [{"type": "object", "properties": {"a": TEXT}}, {"type": "object"}]},
        {"type": "object", "additionalProperties": TEXT, "properties": {"a": TEXT}},
        {"type": "object", "properties": {"a": TEXT}, "minProperties": 1},
        {"type": "object"},
    ],
)
def test_a_body_that_says_more_than_its_properties_stays_one_argument(schema: Node) -> None:
    told = operation(body(schema), "post").values
    assert told["request"]["arguments"] == {"body": {"in": "body", "name": ""}}


def test_an_optional_body_with_required_properties_stays_one_argument() -> None:
    schema = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
    told = operation(body(schema, required=False), "post").values
    assert "required" not in told["input_schema"]
    assert list(told["input_schema"]["properties"]) == ["body"]


def test_several_parts_become_one_where_that_means_the_same() -> None:
    schema: Node = {
        "allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"b": TEXT}, "required": ["b"]}]
    }
    parts: Node = {"A": {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}}
    told = operation(body(schema), "post", components={"schemas": parts}).values
    assert told["input_schema"]["required"] == ["a", "b"]
    closed = {**parts["A"], "additionalProperties": False}
    told = operation(body(schema), "post", components={"schemas": {"A": closed}}).values
    assert "allOf" in told["input_schema"]["properties"]["body"]


def test_a_discriminator_decides_between_branches() -> None:
    cat = {"type": "object", "properties": {"kind": TEXT}}
    schema: Node = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "kind", "mapping": {"cat": "#/components/schemas/Cat"}},
    }
    told = operation(body(schema), "post", components={"schemas": {"Cat": cat, "Dog": cat}}).values
    branches = told["input_schema"]["properties"]["body"]["oneOf"]
    assert [branch["properties"]["kind"]["enum"] for branch in branches] == [["cat"], ["Dog"]]
    assert all("kind" in branch["required"] for branch in branches)


def test_a_document_only_tightens() -> None:
    mild = operation({"x-agentops-effect": "read"}, "delete").values
    strict = operation({"x-agentops-effect": "irreversible"}, "get").values
    assert mild["annotations"] == {"readOnlyHint": False}
    assert strict["annotations"] == {"readOnlyHint": False, "destructiveHint": True}


def test_words_of_ours_and_examples_of_theirs_are_no_change() -> None:
    before, after = operation(query(TEXT)), operation(query({**TEXT, "example": "x", "x-y": 1}))
    assert before.digest == after.digest
    assert before.digest != operation(query({**TEXT, "maxLength": 3})).digest


@pytest.mark.parametrize(
    ("servers", "found_at", "addresses"),
    [
        ([{"url": "https://a.example/"}], "", ["https://a.example"]),
        ([{"url": "/v1"}], "https://b.example/docs/openapi.json", ["https://b.example/v1"]),
        ([{"url": "/v1"}], "", []),
        ([{"url": "https://{x}.example"}], "", []),
        ([{"url": "file:///etc/passwd"}, {"url": "https://[bad"}, 3, {"url": 3}], "", []),
        ("https://a.example", "", []),
    ],
)
def test_where_it_is(servers: Node, found_at: str, addresses: list[str]) -> None:
    assert server_of({"servers": servers}, found_at) == addresses


def test_answers_of_several_kinds_are_all_promised() -> None:
    answers = {
        **OK,
        "204": {"description": "Gone."},
        "default": {"description": "?", "content": {"text/html": {}}},
    }
    told = operation({"responses": answers}, "delete").values
    assert told["output_schema"] == {"anyOf": [{"type": "object"}, {"type": "null"}]}
    assert document()["paths"] == {}
