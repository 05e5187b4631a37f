"""Schemas put together: ``allOf`` as one where that means the same, and branches by their discriminator."""

from __future__ import annotations

from tools.openapi.references import Node

WORDS = frozenset({"title", "description", "default", "deprecated"})
OF_OBJECTS = frozenset({"type", "properties", "required"}) | WORDS


def merge_parts(parts: list[Node], beside: Node) -> Node:
    """Return one schema for several that hold together; as ``allOf`` where merging might say something else."""
    if (
        len(parts) == 1
        and not (parts[0].keys() & beside.keys()) - WORDS
        and not _sees_neighbours(parts[0], beside)
    ):
        return {**parts[0], **beside}
    every = [*parts, beside] if beside else parts
    if all(_is_plain_object(part) for part in every) and not _contradict(every):
        return _unite(every)
    return {"allOf": parts, **beside}


def _sees_neighbours(part: Node, beside: Node) -> bool:
    """Whether a word of one looks at the words next to it: moved together, it would look at more."""
    words = {
        "additionalProperties",
        "unevaluatedProperties",
        "items",
        "unevaluatedItems",
        "if",
        "then",
        "else",
    }
    looked_at = {"properties", "patternProperties", "prefixItems", "then", "else", "if", "contains"}
    both = (part.keys(), beside.keys())
    return any(one & words and other & looked_at for one, other in (both, both[::-1]))


def _is_plain_object(part: Node) -> bool:
    return part.keys() <= OF_OBJECTS and part.get("type", "object") == "object"


def _contradict(parts: list[Node]) -> bool:
    seen: Node = {}
    for part in parts:
        for name, schema in (part.get("properties") or {}).items():
            if seen.setdefault(name, schema) != schema:
                return True
    return not all(isinstance(part.get("required", []), list) for part in parts)


def _unite(parts: list[Node]) -> Node:
    made: Node = {}
    properties: Node = {}
    required: list[str] = []
    for part in parts:
        made |= {name: value for name, value in part.items() if name in WORDS | {"type"}}
        properties |= part.get("properties") or {}
        required += [name for name in part.get("required", []) if name not in required]
    return (
        made
        | ({"properties": properties} if properties else {})
        | ({"required": required} if required else {})
    )


def select_branch(discriminator: object, raw: object, branch: Node) -> Node:
    """Return a branch that holds only for the values that select it; as it is where the document does not say which."""
    name = discriminator.get("propertyName") if isinstance(discriminator, dict) else None
    reference = raw.get("$ref") if isinstance(raw, dict) else None
    if not isinstance(discriminator, dict) or not isinstance(name, str) or not isinstance(reference, str):
        return branch
    last = reference.rpartition("/")[2]
    mapping = discriminator.get("mapping")
    told = [
        value for value, target in mapping.items() if target in (reference, last)
    ] if isinstance(mapping, dict) else []  # fmt: skip
    selects = {"type": "string", "enum": sorted(told) or [last]}
    properties, required = branch.get("properties"), branch.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return {"allOf": [branch, {"properties": {name: selects}, "required": [name]}]}
    words = {key: value for key, value in (properties.get(name) or {}).items() if key in WORDS}
    return {
        **branch,
        "properties": {**properties, name: {**words, **selects}},
        "required": [*required, *([name] if name not in required else [])],
    }
