"""What the planner is shown of arguments that are looked up: that it may describe them, or which there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tools.resolvers.declaration import Path, Resolver
from tools.resolvers.matching import LONGEST_SAID
from tools.services.schema_paths import resolve

JsonObject = dict[str, Any]  # Any: JSON Schema nests
MOST_OFFERED = 100
LONGEST_OFFERED, MOST_WORDS = 64, 4  # of a value

Offers = Mapping[Path, Sequence[str | int]]


def show_schema(schema: JsonObject, resolvers: Sequence[Resolver], offers: Offers) -> JsonObject:
    """Return an input schema as the planner sees it; ``offers`` are the values that were listed, by path."""
    for resolver in resolvers:
        schema = _replace(schema, schema, resolver.path, resolver, offers)
    return schema


def _replace(
    root: JsonObject, node: JsonObject, path: Path, resolver: Resolver, offers: Offers
) -> JsonObject:
    node = resolve(root, node)
    if not path:
        return _shown(node, resolver, offers)
    first, rest = path[0], path[1:]
    if first == "*":
        return {**node, "items": _replace(root, node.get("items", {}), rest, resolver, offers)}
    properties = node.get("properties", {})
    inner = _replace(root, properties.get(first, {}), rest, resolver, offers)
    return {**node, "properties": {**properties, first: inner}}


def _shown(node: JsonObject, resolver: Resolver, offers: Offers) -> JsonObject:
    told = " ".join(str(node.get("description", "")).split())
    if resolver.fresh_s is None:
        words = f"The identifier, or the user's words for it: they are looked up with {resolver.tool}."
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_SAID,
            "description": f"{told} {words}".strip(),
        }
    values = list(offers.get(resolver.path, ()))
    if not values:
        return {**node, "description": f"{told} None of its values can be listed at the moment.".strip()}
    if len(values) > MOST_OFFERED or not all(_is_plain(value) for value in values):
        return {**node, "description": f"{told} One of those that {resolver.tool} lists.".strip()}
    kinds = {"integer" if isinstance(value, int) else "string" for value in values}
    return {
        "type": kinds.pop() if len(kinds) == 1 else ["integer", "string"],
        "enum": values,
        "description": f"{told} One of these, as {resolver.tool} has just listed them.".strip(),
    }


def _is_plain(value: str | int) -> bool:
    """Whoever named it may have meant the planner to read it: what is no short name is not put among its tools."""
    text = str(value)
    return len(text) <= LONGEST_OFFERED and text.isprintable() and len(text.split()) <= MOST_WORDS
