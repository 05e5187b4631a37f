"""Whatever a document says, reading it ends in operations, faults or a refusal, and what is offered can be called."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentops.canonical import canonical_json
from agentops.errors import ValidationFailed
from tests.rewriting import rewrite
from tests.tools.openapi.documents import SHOP, document, query
from tools.adapters.http.config import find_faults
from tools.openapi import Operation, Unusable, list_operations, operations, read_document
from tools.schemas import check_schema

Node = Any  # Any: JSON

STRANGE: tuple[Node, ...] = (
    None, True, 0, -1, 1e308, "", "$ref", "#", "#/paths", "object", [], {}, [[]], [{}], {"": {}}, {"$ref": "#"},
    {"$ref": 3}, {"$ref": "#/components/schemas/Order"}, {"$ref": "https://evil.example/x"}, {"type": ["object", {}]},
    {"type": {}}, {"allOf": [{}]},
    {"oneOf": [{"$ref": "#/components/schemas/Order"}], "discriminator": {"propertyName": []}},
    {"200": 3}, {"application/json": 3}, "\u202e", "a" * 300,
)  # fmt: skip


def places(node: Node, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every place of a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [at, *(place for key, part in inner for place in places(part, (*at, key)))]


SOUND = read_document(SHOP)
PLACES = [place for place in places(SOUND) if place]


def bent(changes: list[tuple[tuple[Any, ...], Node]]) -> Node:
    """Return the shop's document with something else at some places."""
    made = copy.deepcopy(SOUND)
    for place, value in changes:
        node = made
        try:
            for key in place[:-1]:
                node = node[key]
            node[place[-1]] = copy.deepcopy(value)
        except (KeyError, IndexError, TypeError):
            continue
    return made


def judge(operations: list[Operation]) -> None:
    for each in operations:
        if each.faults:
            assert each.digest == ""
            assert all(each.faults)
            continue
        canonical_json(each.values)
        request = dict(each.values["request"])
        path = request.pop("path")
        if not check_schema(each.values["input_schema"]):
            assert find_faults({**request, "url": f"https://shop.example{path}"}) == [], each.name


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(STRANGE)), min_size=1, max_size=3))
@example([(("paths", "/orders/{order-id}", "get", "parameters", 0, "style"), [])])
def test_a_bent_document_is_read_or_refused(changes: list[tuple[tuple[Any, ...], Node]]) -> None:
    with contextlib.suppress(ValidationFailed, Unusable):
        judge(list_operations(read_document(json.dumps(bent(changes)))))


@given(st.text(max_size=60) | st.sampled_from(["openapi: 3.0.0", '{"openapi": "3.1.0"}']).flatmap(
    lambda start: st.text(max_size=40).map(lambda rest: start + rest)))  # fmt: skip
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValidationFailed, Unusable):
        judge(list_operations(read_document(text)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no OpenAPI"),
        ("swagger: '2.0'", "no OpenAPI"),
        ('{"openapi": "3.0.0", "openapi": "3.1.0"}', "twice"),
        ('{"openapi": "3.0.0", "x": ' + "[" * 100 + "]" * 100 + "}", "nested deeper"),
        ("openapi: 3.0.0\nx: " + "[" * 100 + "]" * 100, "levels"),
        ("openapi: 3.0.0\na: &a [1]\nb: *a", "anchor"),
        ("openapi: !!python/object:os.system 3.0.0", "tag"),
        ('{"openapi": "3.0.0", "info": "\\u0000"}', "NUL"),
        ('openapi: 3.0.0\ninfo: "\\0"', "NUL"),
        ("openapi: 3.0.0\nx: 1e999", "JSON"),
        ("openapi: 3.0.0\npaths: []", "paths"),
        ("x" * (4 * 1024 * 1024 + 1), "MiB"),
    ],
)
def test_what_is_no_document_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValidationFailed, match=words):
        read_document(text)


def test_schemas_that_unfold_without_end_are_refused() -> None:
    """A few lines, each naming the one before twice, would come to a billion places."""
    schemas = {
        f"s{n}": {
            "type": "object",
            "properties": {k: {"$ref": f"#/components/schemas/s{n - 1}"} for k in "ab"},
        }
        for n in range(1, 30)
    } | {"s0": {"type": "string"}}
    told = {
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/s29"}}}}
    }
    read = list_operations(document({"/x": {"post": told}}, components={"schemas": schemas}))
    assert "parts" in read[0].faults[0]


def test_references_in_a_circle_and_out_of_the_document_are_refused() -> None:
    circle = {"a": {"$ref": "#/components/parameters/b"}, "b": {"$ref": "#/components/parameters/a"}}
    for reference, words in (("#/components/parameters/a", "itself"), ("https://evil.example/p", "out of"),
                             ("other.yaml#/x", "out of"), ("#/components/parameters/none", "nowhere")):  # fmt: skip
        told = {"parameters": [{"$ref": reference}]}
        read = list_operations(document({"/x": {"get": told}}, components={"parameters": circle}))
        assert words in read[0].faults[0]


def test_schemas_that_only_say_what_they_say_themselves_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = {"a": {"$ref": "#/components/schemas/b"}, "b": {"allOf": [{"$ref": "#/components/schemas/a"}]}}
    told = query({"$ref": "#/components/schemas/a"})
    read = list_operations(document({"/x": {"get": told}}, components={"schemas": circle}))
    assert "says nothing else" in read[0].faults[0]
    rewrite(monkeypatch, operations, "_input_schema", "if find_circle(whole):", "if False:")
    assert list_operations(document({"/x": {"get": told}}, components={"schemas": circle}))[0].faults == []


def test_more_operations_than_are_listed_are_refused() -> None:
    with pytest.raises(Unusable, match="1000"):
        list_operations(document({f"/x{n}": {"get": {}} for n in range(1_001)}))
