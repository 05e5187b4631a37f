"""What calls of a tool have in common: the shape of their arguments, and which leaves vary. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentops.canonical import canonical_json

Json = Any  # arguments
Leaves = dict[str, str]
MOST_LEAVES = 200  # of one call; beyond that a list of 1 MB would be compared leaf by leaf
EMPTY = "nothing"


def find_leaves(arguments: Json) -> Leaves:
    """Return the leaves of arguments as text, by their dotted path; the items of a list are numbered."""
    return dict(pair for pair, _ in zip(_walk(arguments, ""), range(MOST_LEAVES), strict=False))


def _walk(value: Json, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name in sorted(value):
            yield from _walk(value[name], f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from _walk(item, f"{path}.{place}")
    else:
        yield path, _write(value)


def _write(value: Json) -> str:
    if value in ({}, [], None):
        return EMPTY
    return value if isinstance(value, str) else canonical_json(value).decode()


def find_choices(schema: Mapping[str, Json], path: str = "") -> frozenset[str]:
    """Return the paths of leaves that are a choice (an enumeration, true or false): they belong to the template."""
    found: set[str] = set()
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        here = f"{path}.{name}" if path else name
        if isinstance(part, dict) and ("enum" in part or "const" in part or part.get("type") == "boolean"):
            found.add(here)
        elif isinstance(part, dict):
            found |= find_choices(part, here)
    return frozenset(found)


def shape_of(arguments: Json, choices: frozenset[str]) -> tuple[Any, ...]:
    """Return what two calls of one template have alike: the names of their arguments, and what was chosen.

    How long a list is makes no other template.
    """
    names: set[str] = set()
    chosen: list[tuple[str, str]] = []
    for path, value in find_leaves(arguments).items():
        names.add(".".join("*" if part.isdigit() else part for part in path.split(".")))
        if path in choices:
            chosen.append((path, value))
    return tuple(sorted(names)), tuple(chosen)


def name_group(team: UUID, tool: UUID, effect: str, shape: tuple[Any, ...]) -> str:
    """Return the name of a group: the same for the same template, whatever else waits."""
    parts = [str(team), str(tool), effect, list(shape[0]), [list(pair) for pair in shape[1]]]
    return hashlib.sha256(canonical_json(parts)).hexdigest()


@dataclass(frozen=True, slots=True)
class Template:
    """The leaves that all calls of a group share, with their value, and those that vary, with how many values."""

    constant: Leaves
    varying: dict[str, int]


def find_template(many: Sequence[Leaves]) -> Template:
    """Return the template of calls of one shape; a leaf that some lack varies."""
    values: dict[str, set[str]] = defaultdict(set)
    seen: dict[str, int] = defaultdict(int)
    for leaves in many:
        for path, value in leaves.items():
            values[path].add(value)
            seen[path] += 1
    constant = {
        path: next(iter(found)) for path, found in values.items() if _is_constant(found, seen[path], many)
    }
    varying = {path: len(found) for path, found in values.items() if path not in constant}
    return Template(constant, varying)


def _is_constant(found: Iterable[str], seen: int, many: Sequence[Leaves]) -> bool:
    return len(set(found)) == 1 and seen == len(many)
