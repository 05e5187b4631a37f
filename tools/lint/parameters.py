"""The parameters of a schema, one by one, as the model has to fill them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]  # Any: JSON Schema nests
MOST_PLACES = 2_000  # of a schema that unfolds into more, the rest is not looked at
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
    yield from _below(schema, schema, "", 0, [MOST_PLACES])


def is_leaf(schema: Schema) -> bool:
    """Return whether a place is filled in with one value, or with whatever the model likes."""
    holds = ("properties", "allOf", "anyOf", "oneOf")
    has_parts = any(_holds_places(schema, name) for name in holds)
    return not has_parts and not isinstance(schema.get("items"), dict)


def _holds_places(schema: Schema, name: str) -> bool:
    told = schema.get(name)
    if name == "properties":
        return bool(told)
    return any(isinstance(form, dict) and ("$ref" in form or not is_leaf(form)) for form in told or ())


def resolve(root: Schema, node: Any) -> Schema:  # Any: whatever stands where a schema should
    """Return the schema that a node is, or refers to within the document; an empty one for anything else."""
    for _ in range(DEEPEST):
        reference = node.get("$ref") if isinstance(node, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
            break
        node = (root.get("$defs") or {}).get(reference.removeprefix("#/$defs/"))
    return node if isinstance(node, dict) else {}


def _through(root: Schema, node: Schema, where: str, depth: int, left: list[int]) -> Iterator[Parameter]:
    """Yield the places of the forms that a schema is put together of, each once, but for its own."""
    seen = {f"{where}/{name}" for name in node.get("properties") or {}}
    for word in ("allOf", "anyOf", "oneOf"):
        for form in node.get(word) or ():
            for found in _below(root, resolve(root, form), where, depth + 1, left):
                if found.where not in seen:
                    seen.add(found.where)
                    yield found


def _below(root: Schema, node: Schema, where: str, depth: int, left: list[int]) -> Iterator[Parameter]:
    left[0] -= 1
    if depth >= DEEPEST or left[0] < 0:
        return
    yield from _through(root, node, where, depth, left)
    required = set(node.get("required") or ())
    for name, found in (node.get("properties") or {}).items():
        place = resolve(root, found)
        yield Parameter(f"{where}/{name}", name, place, name in required)
        yield from _below(root, place, f"{where}/{name}", depth + 1, left)
        if isinstance(place.get("items"), dict):
            yield from _below(root, resolve(root, place["items"]), f"{where}/{name}/*", depth + 1, left)
