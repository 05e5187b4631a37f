"""A schema that says only what it itself says would let everything pass, and is not taken."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rewriting import rewrite
from tests.tools.execution import make_spec
from tools import schemas
from tools.schema_circles import find_circle
from tools.schemas import check_schema, validate_arguments

Json = Any  # Any: JSON


def having(part: Json, **definitions: Json) -> Json:
    return {"type": "object", "properties": {"q": part}, "$defs": definitions}


ITSELF = having({"$ref": "#/$defs/Loop"}, Loop={"$ref": "#/$defs/Loop"})


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (ITSELF, "#/$defs/Loop"),
        (having({"$ref": "#/properties/q"}), "#/properties/q"),
        (having({}, A={"allOf": [{"$ref": "#/$defs/B"}]}, B={"anyOf": [{"type": "string"}, {"$ref": "#/$defs/A"}]}),
         "#/$defs/A"),
        (having({"$ref": "#/$defs/a~1b%20c"}, **{"a/b c": {"not": {"$ref": "#/$defs/a~1b%20c"}}}), "#/$defs/a~1b c"),
        (having({"$ref": "#me"}, M={"$anchor": "me", "oneOf": [{"$ref": "#me"}, {"type": "null"}]}), "#/$defs/M"),
        ({"type": "object", "allOf": [{"$ref": "#"}]}, "#"),
        ({"type": "object", "if": {"$ref": "#"}}, "#"),
        ({"type": "object", "dependentSchemas": {"a": {"$ref": "#"}}}, "#"),
        ({"type": "object", "$id": "urn:x", "anyOf": [{"$ref": "urn:x"}]}, "#"),
        ({"type": "object", "$dynamicAnchor": "n", "allOf": [{"$dynamicRef": "#n"}]}, "#"),
    ],
)  # fmt: skip
def test_a_circle_is_found_and_named(schema: Json, place: str) -> None:
    assert find_circle(schema) == place
    assert [problem.path for problem in check_schema(schema)] == [place[1:]]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}},
        having({"$ref": "#/$defs/T"}, T={"anyOf": [{"type": "null"}, {"properties": {"up": {"$ref": "#/$defs/T"}}}]}),
        having({"enum": [{"$ref": "#/properties/q"}], "default": {"$ref": "#/properties/q"}}),
        having({"$ref": "#/$defs/A"}, A={"$ref": "#/$defs/B"}, B={"type": "string"}),
        having({"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}]}, A={"type": "string"}),
    ],
)  # fmt: skip
def test_a_tree_ends_where_the_value_ends(schema: Json) -> None:
    assert find_circle(schema) == ""
    assert check_schema(schema) == []


def test_without_the_look_everything_would_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, schemas, "check_schema", "if circle := find_circle(schema):", "if circle := '':")

    assert schemas.check_schema(ITSELF) == []
    assert validate_arguments(make_spec(input_schema=ITSELF), {"q": {"any": ["thing"]}}) == []
