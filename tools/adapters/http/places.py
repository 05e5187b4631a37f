"""Where each argument of a call goes, for interfaces whose names and notations are their own.

Configuration, each entry under the argument's name; what is left out is as in OpenAPI::

    {"order_id": {"in": "path"},
     "status": {"in": "query", "name": "filter[status]", "style": "form", "explode": true},
     "version": {"in": "header", "name": "If-Match"},
     "reason": {"in": "body", "name": "cancelReason"},
     "document": {"in": "body", "name": ""}}

The last one is the whole body. Without ``arguments`` the module ``request`` goes by the URL and the method.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

STYLES = {
    "path": ("simple",),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject", "json"),
    "header": ("simple",),
    "body": ("json",),
}
KEYS = frozenset({"in", "name", "style", "explode"})
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """One argument's place; ``name`` is what the interface calls it, empty for the whole body."""

    where: str
    name: str
    style: str
    explode: bool


def parse_places(arguments: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Place] | None:
    """Take places apart that have no faults; None where none are named."""
    if arguments is None:
        return None
    return {argument: _parse(argument, told) for argument, told in arguments.items()}


def _parse(argument: str, told: Mapping[str, Any]) -> Place:
    style = told.get("style", STYLES[told["in"]][0])
    return Place(told["in"], told.get("name", argument), style, told.get("explode", style == "form"))


def find_place_faults(config: Mapping[str, Any], placeholders: set[str]) -> list[str]:
    """Return what has to be put right in ``arguments``, worded as remedies. Any: whatever was typed in."""
    arguments = config["arguments"]
    if not isinstance(arguments, dict):
        return ["set arguments to an object of names and places"]
    faults = [fault for name, told in arguments.items() for fault in _find_shape_faults(str(name), told)]
    if faults:
        return faults
    places = parse_places(arguments) or {}
    return [
        *_find_path_faults(places, placeholders),
        *_find_clashes(places),
        *_find_body_faults(places, config),
    ]


def _find_shape_faults(name: str, told: object) -> Iterator[str]:
    shown = f"arguments: {name[:64]}"
    if not isinstance(told, dict) or told.get("in") not in STYLES:
        yield f"{shown}: set in to one of {', '.join(STYLES)}"
        return
    if unknown := sorted(map(str, told.keys() - KEYS)):
        yield f"{shown}: remove {unknown[0]!r}: unknown"
    if not isinstance(told.get("name", ""), str) or (told.get("name") == "" and told["in"] != "body"):
        yield f"{shown}: set name to what the interface calls it"
    if told.get("style", STYLES[told["in"]][0]) not in STYLES[told["in"]]:
        yield f"{shown}: set style to one of {', '.join(STYLES[told['in']])}"
    if type(told.get("explode", False)) is not bool:
        yield f"{shown}: set explode to true or false"


def _find_path_faults(places: Mapping[str, Place], placeholders: set[str]) -> Iterator[str]:
    in_path = {argument for argument, place in places.items() if place.where == "path"}
    for argument in sorted(in_path - placeholders):
        yield f"arguments: {argument}: name {{{argument}}} in the url"
    for argument in sorted(placeholders - in_path):
        yield f"arguments: {argument}: the url names it, so its place is the path"


def _find_clashes(places: Mapping[str, Place]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for argument, place in places.items():
        name = place.name.lower() if place.where == "header" else place.name
        if place.where != "path" and (place.where, name) in seen:
            yield f"arguments: {argument}: another argument is sent as {place.name[:64]!r} already"
        seen.add((place.where, name))


def _find_body_faults(places: Mapping[str, Place], config: Mapping[str, Any]) -> Iterator[str]:
    in_body = [place for place in places.values() if place.where == "body"]
    is_whole = any(not place.name for place in in_body)
    if is_whole and (len(in_body) > 1 or config.get("body") == "form"):
        yield "arguments: what is the whole body of JSON is the only argument in it"
    if in_body and config.get("body") not in ("json", "form"):
        yield 'set body to "json" or "form", or move the arguments out of it'
    if "query" in config:
        yield "remove query: arguments says what goes there"
