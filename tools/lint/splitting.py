"""Make several narrow tools of one wide schema: by its verbs first, then by groups of fields.

What identifies the thing goes into each of them. Together they take every field of the wide one, and each call of a
narrow one, with its verb added, is a call of the wide one, but for what that requires of other groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.lint.parameters import Parameter, Schema, is_leaf, list_parameters, resolve
from tools.lint.rules import MOST_PARAMETERS
from tools.lint.words import TWO_VERBS, VERBS, verbs_of

MOST_SHARED = 3
LONGEST_DESCRIPTION = 4_000
REST = "details"
_IDENTIFIES = re.compile(r"(^|_)(id|uuid|number|key|email)$")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Narrow:
    """One proposed tool; ``fixed`` is what its calls add to reach the wide one."""

    name: str
    description: str
    input_schema: Schema
    fixed: Mapping[str, Any] = field(default_factory=dict)  # Any: constants of the wide schema


def split(name: str, description: str, schema: Schema) -> list[Narrow]:
    """Return the narrow tools that a wide one comes to; just itself where it is narrow already."""
    chosen = _find_verb(schema)
    if chosen is None:
        return [
            narrow for title in _titles(name) for narrow in _by_groups(Narrow(title, description, schema))
        ]
    rest = _without(schema, chosen.name)
    tools: list[Narrow] = []
    for verb in verbs_of(chosen):
        title = f"{_as_name(verb)}_{_without_verbs(name)}"
        tools += _by_groups(Narrow(title, f"{verb}: {description}", rest, {chosen.name: verb}))
    return tools


def _titles(name: str) -> list[str]:
    """Return a name for each of the verbs in one, such as create_or_update_user; itself where there is one."""
    parts = name.split("_")
    verbs = [part for part in parts if part in VERBS]
    if len(verbs) < 2 or not TWO_VERBS.search(name):
        return [name]
    things = "_".join(part for part in parts if part not in VERBS and part not in ("or", "and"))
    return list(dict.fromkeys(f"{verb}_{things}" if things else verb for verb in verbs))


def _find_verb(schema: Schema) -> Parameter | None:
    top = (each for each in list_parameters(schema) if each.where == f"/{each.name}")
    return next((each for each in top if verbs_of(each)), None)


def _by_groups(wide: Narrow) -> Iterator[Narrow]:
    if sum(is_leaf(each.schema) for each in list_parameters(wide.input_schema)) <= MOST_PARAMETERS:
        yield wide
        return
    names = list(wide.input_schema.get("properties") or {})
    required = wide.input_schema.get("required") or ()
    leaves = [
        name for name in names if is_leaf(resolve(wide.input_schema, wide.input_schema["properties"][name]))
    ]
    shared = [name for name in leaves if name in required and _IDENTIFIES.search(name)][:MOST_SHARED]
    for group, members in _group(wide.input_schema, [name for name in names if name not in shared]):
        kept = [name for name in names if name in shared or name in members]
        narrow = _only(wide.input_schema, kept)
        for part, node in _narrow_object(wide.input_schema, members[0]) if len(members) == 1 else [("", {})]:
            title = "_".join(word for word in (wide.name, group, part) if word)
            words = f"{wide.description} (only: {', '.join(members)}{f': {part}' if part else ''})"
            inner = {**narrow, "properties": {**narrow["properties"], members[0]: node}} if part else narrow
            yield Narrow(title, words[:LONGEST_DESCRIPTION], inner, wide.fixed)


def _group(schema: Schema, names: list[str]) -> list[tuple[str, list[str]]]:
    """Return the fields by group: an object is one, so are those with a prefix in common, and the rest in chunks."""
    properties = schema["properties"]
    prefixes = [name.partition("_")[0] for name in names if "_" in name]
    groups: dict[str, list[str]] = {}
    for name in names:
        prefix = name.partition("_")[0]
        if resolve(schema, properties[name]).get("properties"):
            groups.setdefault(_as_name(name), []).append(name)
        else:
            groups.setdefault(_as_name(prefix) if prefixes.count(prefix) >= 2 else REST, []).append(name)
    return [chunk for group, members in groups.items() for chunk in _in_chunks(schema, group, members)]


def _in_chunks(schema: Schema, group: str, members: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the fields of a group in chunks that are filled in with few values each; an object alone may be more."""
    chunks: list[list[str]] = []
    room = 0
    for name in members:
        weight = _weigh(schema, name)
        if not chunks or weight > room:
            chunks.append([])
            room = MOST_PARAMETERS - MOST_SHARED
        chunks[-1].append(name)
        room -= weight
    for place, chunk in enumerate(chunks):
        yield f"{group}{place + 1}" if place else group, chunk


def _weigh(schema: Schema, name: str) -> int:
    """Return how many values a field is filled in with."""
    return sum(is_leaf(each.schema) for each in list_parameters(_only(schema, [name])))


def _narrow_object(schema: Schema, name: str) -> Iterator[tuple[str, Schema]]:
    """Yield an object as several, each with some of its own fields; itself where it has few."""
    node = resolve(schema, schema["properties"][name])
    fields = list(node.get("properties") or {})
    if _weigh(schema, name) <= MOST_PARAMETERS - MOST_SHARED or len(fields) < 2:
        yield "", node
        return
    inside = {**_definitions_of(schema), **node}
    for part, members in _group(inside, fields):
        yield part, {**_only(node, members), "type": "object"}


def _definitions_of(schema: Schema) -> Schema:
    return {name: schema[name] for name in ("$defs", "$schema") if name in schema}


def _only(schema: Schema, names: list[str]) -> Schema:
    """Return the schema with these fields alone: what it says of them together is not theirs to hold any more."""
    required = [name for name in schema.get("required") or () if name in names]
    properties = {name: schema["properties"][name] for name in names}
    kept: Schema = {name: schema[name] for name in ("description", "$defs", "$schema") if name in schema}
    return {
        "type": "object", **kept, "properties": properties, "required": required, "additionalProperties": False,
    }  # fmt: skip


def _without(schema: Schema, name: str) -> Schema:
    return _only(schema, [other for other in schema["properties"] if other != name])


def _as_name(text: str) -> str:
    return _NOT_IN_NAMES.sub("_", text).strip("_").lower() or REST


def _without_verbs(name: str) -> str:
    return name.partition("_")[2] if name.startswith(("manage_", "handle_", "process_", "do_")) else name
