"""Parameters of an operation as arguments of a tool: each with its place, its notation and its schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.adapters.http.config import SECRET_NAME, SET_FOR_EVERY_CALL
from tools.adapters.http.places import HEADER_NAME
from tools.openapi.naming import name_argument
from tools.openapi.references import Node, References, Unusable
from tools.openapi.schemas import SchemaReader

SCALARS = frozenset({"string", "number", "integer", "boolean"})
STYLES = {
    "path": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
}
BY_THE_CALL = frozenset({"accept", "content-type", "authorization", "traceparent", "tracestate"})
KEY = "idempotency-key"
MOST_PARAMETERS = 200


@dataclass(slots=True)
class Arguments:
    """What gathers while an operation is read: the tool's arguments, and what is said about them to people."""

    taken: set[str] = field(default_factory=set)
    schemas: dict[str, Node] = field(default_factory=dict)
    places: dict[str, Node] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    takes_key: bool = False

    def add(self, name: str, place: Node, schema: Node, *, is_required: bool) -> str:
        """Add one under a name of its own, which is returned."""
        argument = name_argument(name, place["in"], self.taken)
        told = place if place.get("name", name) == argument else {"name": name, **place}
        self.schemas[argument], self.places[argument] = schema, told
        if is_required:
            self.required.append(argument)
        return argument


def read_parameters(
    references: References, path_item: Node, operation: Node, reader: SchemaReader, arguments: Arguments
) -> dict[str, str]:
    """Add all parameters; return the argument of each placeholder. Raises Unusable for what cannot be sent as told."""
    placeholders = {}
    for parameter in _list_parameters(references, path_item, operation):
        if (name := _add(references, parameter, reader, arguments)) is not None:
            placeholders[parameter["name"]] = name
    return placeholders


def _list_parameters(references: References, path_item: Node, operation: Node) -> Iterator[Node]:
    """Yield the parameters of a path and an operation; one of the operation stands in for the path's."""
    found: dict[tuple[str, str], Node] = {}
    for place in (path_item, operation):
        told = place.get("parameters", [])
        if not isinstance(told, list) or len(told) > MOST_PARAMETERS:
            raise Unusable(f"its parameters are no list of at most {MOST_PARAMETERS}")
        for each in told:
            parameter = references.resolve(each, "a parameter")
            name, where = parameter.get("name"), parameter.get("in")
            if not isinstance(name, str) or not name or where not in ("path", "query", "header", "cookie"):
                raise Unusable("a parameter says neither its name nor its place")
            found[str(where), name.lower() if where == "header" else name] = parameter
    yield from found.values()


def _add(references: References, parameter: Node, reader: SchemaReader, arguments: Arguments) -> str | None:
    """Add one parameter; return its argument if it goes into the path."""
    name, where = parameter["name"], parameter["in"]
    is_required = parameter.get("required") is True or where == "path"
    if where == "header" and name.lower() == KEY:
        arguments.takes_key = True
        return None
    if where == "header" and name.lower() in BY_THE_CALL:
        return None
    if (why := _find_obstacle(name, where)) is not None:
        if is_required:
            raise Unusable(f"its parameter {name!r} {why}")
        arguments.notes.append(f"Without {name!r}, which {why}.")
        return None
    schema, place = _read_place(references, parameter, reader)
    if parameter.get("deprecated") is True:
        schema = {**schema, "deprecated": True}
    words = parameter.get("description")
    if isinstance(words, str) and words.strip():
        schema = {**schema, "description": words}
    argument = arguments.add(name, place, schema, is_required=is_required)
    return argument if where == "path" else None


def _find_obstacle(name: str, where: str) -> str | None:
    if where == "cookie":
        return "is a cookie, and none is sent"
    if where != "header":
        return None
    if not HEADER_NAME.fullmatch(name):
        return "is no name of a header"
    if name.lower() in SET_FOR_EVERY_CALL:
        return "is a header that is set for every call"
    if SECRET_NAME.search(name):
        return (
            "looks like a credential, which is no argument: a security scheme says what calls are let in by"
        )
    return None


def _read_place(references: References, parameter: Node, reader: SchemaReader) -> tuple[Node, Node]:
    name, where = parameter["name"], parameter["in"]
    if "content" in parameter:
        return _read_content(references, parameter, reader)
    style = parameter.get("style", STYLES[where][0])
    explode = parameter.get("explode", style == "form")
    if style not in STYLES[where] or type(explode) is not bool:
        raise Unusable(
            f"its parameter {name!r} is written in the style {str(style)[:40]!r}, which is not sent"
        )
    schema = reader.read(parameter.get("schema", {"type": "string"}))
    schema = _narrow(name, where, style, explode, schema, reader.definitions)
    place: Node = {"in": where}
    if where == "query":
        place |= {} if style == "form" else {"style": style}
        place |= {} if explode is (style == "form") else {"explode": explode}
    return schema, place


def _read_content(references: References, parameter: Node, reader: SchemaReader) -> tuple[Node, Node]:
    content = parameter["content"]
    kind = next(iter(content), "") if isinstance(content, dict) and len(content) == 1 else ""
    if kind != "application/json" or parameter["in"] != "query":
        raise Unusable(f"its parameter {parameter['name']!r} is written as something else than a plain value")
    media = references.resolve(content[kind], "the content of a parameter")
    return reader.read(media.get("schema", {})), {"in": "query", "style": "json"}


def _narrow(name: str, where: str, style: str, explode: bool, schema: Node, definitions: Node) -> Node:
    """Return the schema without what this place has no notation for; raises Unusable where nothing is left."""
    kinds = kinds_of(schema, definitions)
    told = f"its parameter {name!r} in the {where}"
    if "object" in kinds and where in ("path", "header"):
        raise Unusable(f"{told} may be an object, which is not sent there")
    if "object" in kinds and style not in ("form", "deepObject"):
        raise Unusable(f"{told} may be an object, which its style {style} does not write")
    if style == "deepObject" and kinds != {"object"}:
        raise Unusable(f"{told} is written as a deepObject, and may be something else than an object")
    if style in ("spaceDelimited", "pipeDelimited") and (explode or kinds != {"array"}):
        raise Unusable(f"{told} is written in the style {style}, which is only for lists without explode")
    if "array" in kinds and not _is_flat(schema.get("items"), definitions):
        raise Unusable(f"{told} is a list of something else than texts, numbers and booleans")
    if "object" in kinds:
        return _close(told, schema, definitions)
    return _without_null(schema)


def _close(told: str, schema: Node, definitions: Node) -> Node:
    """Return an object with the properties that are declared, and no others: they would be parameters, too."""
    properties = schema.get("properties")
    if (
        not isinstance(properties, dict)
        or not properties
        or schema.get("type") not in ("object", ["object", "null"])
    ):
        raise Unusable(f"{told} is an object whose properties are not declared")
    if not all(_is_flat(part, definitions) for part in properties.values()):
        raise Unusable(f"{told} is an object of something else than texts, numbers and booleans")
    return {**schema, "type": "object", "additionalProperties": False}


def _is_flat(schema: object, definitions: Node) -> bool:
    return isinstance(schema, dict) and kinds_of(schema, definitions) <= SCALARS


def _without_null(schema: Node) -> Node:
    """Return the schema without null, which no address and no header can say, and with a type in any case."""
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        left = [kind for kind in kinds if kind != "null"]
        return {**schema, "type": left[0] if len(left) == 1 else left}
    decides = {"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"}
    return schema if decides & schema.keys() else {**schema, "type": ["string", "number", "boolean"]}


def kinds_of(schema: Node, definitions: Node, depth: int = 0) -> set[str]:
    """Return the JSON types that a value may be of, null left out; any other where a schema does not say."""
    if "type" in schema:
        told = schema["type"]
        return {kind for kind in (told if isinstance(told, list) else [told]) if kind != "null"}
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(name), list) and depth < 10:
            return set().union(*(kinds_of(part, definitions, depth + 1) for part in schema[name]))
    reference = schema.get("$ref")
    if isinstance(reference, str) and depth < 10:
        return kinds_of(definitions.get(reference.removeprefix("#/$defs/"), {}), definitions, depth + 1)
    if "properties" in schema:
        return {"object"}
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return {_kind_of(value) for value in values if value is not None} if isinstance(values, list) else set()


def _kind_of(value: Any) -> str:  # Any: JSON
    names = {bool: "boolean", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")
