"""Schemas that lead back to themselves without looking any deeper into the value.

A tree refers to itself by its branches, and ends where the value ends. A schema that only says "whatever I say" ends
nowhere (JSON Schema 2020-12, 9.4.1: its meaning is undefined): validators take it for one that lets everything pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any
from urllib.parse import unquote

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ANCHORS = ("$anchor", "$dynamicAnchor")
# What applies to the same value as the schema that holds it.
_ONE = ("not", "if", "then", "else")
_SEVERAL = ("allOf", "anyOf", "oneOf")
_NAMED = ("dependentSchemas",)
_VALUES = frozenset({"enum", "const", "default", "examples", "example"})  # they hold values, not schemas

Json = Any  # Any: JSON


def find_circle(schema: Json) -> str:
    """Return the place (a JSON pointer) of a part that says only what it itself says, or an empty string.

    The pointer of the whole schema is ``#``.
    """
    places = {f"#{path}": node for path, node in _walk(schema, "")}
    names = dict(_name_anchors(places))
    graph = {path: set(_same_value(path, node, names)) & places.keys() for path, node in places.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return str(min(error.args[1]))
    return ""


def _walk(node: Json, path: str) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Yield every object that may be a schema, with its pointer; without recursion, for a stranger wrote it."""
    todo = [(path, node)]
    while todo:
        at, found = todo.pop()
        if isinstance(found, dict):
            yield at, found
            todo += [(f"{at}/{_escape(key)}", part) for key, part in found.items() if key not in _VALUES]
        elif isinstance(found, list):
            todo += [(f"{at}/{number}", part) for number, part in enumerate(found)]


def _name_anchors(places: Mapping[str, Mapping[str, Json]]) -> Iterator[tuple[str, str]]:
    """Yield by which other references a place is reached."""
    for path, node in places.items():
        yield from ((f"#{node[each]}", path) for each in _ANCHORS if isinstance(node.get(each), str))
        if isinstance(node.get("$id"), str):
            yield node["$id"], path
            yield node["$id"] + "#", path


def _same_value(path: str, node: Mapping[str, Json], names: Mapping[str, str]) -> Iterator[str]:
    """Yield the places that say something about the same value."""
    for reference in (node[each] for each in _REFERENCES if isinstance(node.get(each), str)):
        yield names.get(reference) or unquote(reference)
    yield from (f"{path}/{each}" for each in _ONE if each in node)
    for each in _SEVERAL:
        parts = node.get(each)
        yield from (
            f"{path}/{each}/{number}" for number in range(len(parts) if isinstance(parts, list) else 0)
        )
    for each in _NAMED:
        parts = node.get(each)
        yield from (f"{path}/{each}/{_escape(key)}" for key in (parts if isinstance(parts, dict) else ()))


def _escape(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")
