"""JSON Schemas of hints that are understood: pydantic's, closed, in one piece and without what it adds of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

Mode = Literal["validation", "serialization"]
Node = dict[str, Any]  # Any: JSON Schema nests

MOST_DIGITS, MOST_PLACES = 15, 10  # of a Decimal that comes in: exact wherever it goes
BOUND_WORDS = {
    "ge": "at least",
    "gt": "more than",
    "le": "at most",
    "lt": "less than",
    "multiple_of": "a multiple of",
}


class _Strict(GenerateJsonSchema):
    """Objects take no unknown names. A Decimal is a text, for a number in JSON is not exact."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            return {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
        told_of = cast("dict[str, Any]", schema)
        words = " and ".join(
            f"{words} {told_of[name]}" for name, words in BOUND_WORDS.items() if name in told_of
        )
        told = {"type": "string", "pattern": _decimal_pattern(schema)}
        return {**told, "$comment": f"A decimal, {words}."} if words else told

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return {**super().dataclass_schema(schema), "additionalProperties": False}

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return {**super().typed_dict_schema(schema), "additionalProperties": False}


def schema_of(adapter: TypeAdapter[Any], mode: Mode) -> Node:  # Any: of whatever hint
    """Return the schema of a hint in one piece: no references, no titles."""
    generated = adapter.json_schema(schema_generator=_Strict, mode=mode)
    return _plain(generated, generated.get("$defs", {}))


def _decimal_pattern(schema: core_schema.DecimalSchema) -> str:
    places = schema.get("decimal_places")
    digits = schema.get("max_digits")
    whole = max(1, digits - (places or 0)) if digits is not None else MOST_DIGITS
    least = schema.get("ge", schema.get("gt"))
    sign = "" if least is not None and least >= 0 else "-?"
    most = MOST_PLACES if places is None else places
    fraction = rf"(\.[0-9]{{1,{most}}})?" if most else ""
    return rf"^{sign}(0|[1-9][0-9]{{0,{whole - 1}}}){fraction}$"


def _plain(node: Node, defs: Mapping[str, Node]) -> Node:
    if "$ref" in node:
        target = defs[node["$ref"].removeprefix("#/$defs/")]
        node = {**target, **{name: value for name, value in node.items() if name != "$ref"}}
    told = {name: value for name, value in node.items() if name not in ("title", "$defs", "$comment")}
    for name in ("items", "additionalProperties"):
        if isinstance(told.get(name), dict):
            told[name] = _plain(told[name], defs)
    for name in ("prefixItems", "anyOf", "oneOf"):
        if name in told:
            told[name] = [_plain(each, defs) for each in told[name]]
    if "properties" in told:
        told["properties"] = {name: _plain(each, defs) for name, each in told["properties"].items()}
    if "$comment" in node:
        told["description"] = " ".join(filter(None, [told.get("description"), node["$comment"]]))
    return told
