"""Finding what a schema declares at a path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def property_at(schema: dict[str, Any], path: Sequence[str]) -> dict[str, Any] | None:
    """Return the schema of a declared property; ``*`` steps into a list. None where nothing is declared."""
    node: Any = schema
    for part in path:
        node = resolve(schema, node)
        node = node.get("items") if part == "*" else (node.get("properties") or {}).get(part)
        if not isinstance(node, dict):
            return None
    return resolve(schema, node)


def resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return what a node of a schema refers to among its definitions, or the node itself."""
    reference = node.get("$ref", "")
    name = reference.removeprefix("#/$defs/") if isinstance(reference, str) else ""
    target = (schema.get("$defs") or {}).get(name) if name else None
    return target if isinstance(target, dict) else node
