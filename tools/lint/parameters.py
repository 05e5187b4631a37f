"""The parameters of a schema, one by one, as the model has to fill them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]  # Any: JSON Schema nests
DEEPEST = 8  # of a schema that refers to itself, no more is looked at


@dataclass(frozen=True, slots=True)
class Parameter:
    """One place to fill in. ``where`` is its JSON pointer, in which ``*`` steps into a list."""

    where: str
    name: str
    schema: Schema
    required: bool

    @property
    def words(self) -> str:
        """Return what the schema says of it."""
        return str(self.schema.get("description", ""))


def list_parameters(schema: Schema) -> Iterator[Parameter]:
    """Yield every named place of a schema, objects and lists included."""
    yield from _below(schema, schema, "", 0)


def is_leaf(schema: Schema) -> bool:
    """Return whether a place is filled in with one value, or with whatever the model likes."""
    return not schema.get("properties") and not isinstance(schema.get("items"), dict)


def resolve(root: Schema, node: Any) -> Schema:  # Any: whatever stands where a schema should
    """Return the schema that a node is, or refers to within the document; an empty one for anything else."""
    for _ in range(DEEPEST):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
            break
        node = (root.get("$defs") or {}).get(reference.removeprefix("#/$defs/"))
    return node if isinstance(node, dict) else {}


def _below(root: Schema, node: Schema, where: str, depth: int) -> Iterator[Parameter]:
    if depth >= DEEPEST:
        return
    required = set(node.get("required") or ())
    for name, found in (node.get("properties") or {}).items():
        place = resolve(root, found)
        yield Parameter(f"{where}/{name}", name, place, name in required)
        yield from _below(root, place, f"{where}/{name}", depth + 1)
        if isinstance(place.get("items"), dict):
            yield from _below(root, resolve(root, place["items"]), f"{where}/{name}/*", depth + 1)
