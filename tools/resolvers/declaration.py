"""What a tool version says about its arguments that are looked up.

``{"order_id": {"tool": "find_orders", "query": "text", "arguments": {"status": "open"}, "items": "orders",
"value": "id", "label": ["summary"], "date": "placed_at"}}``: the argument is the ``value`` of that one of ``items``,
in the answer of a tool that only reads, which the words fit. With ``fresh_s`` its allowed values are listed to the
planner, and none that was listed longer ago than so many seconds is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Any  # a value of a definition, a call or an answer
Path = tuple[str, ...]

NEEDED = frozenset({"tool", "value"})
PARTS = NEEDED | {"query", "arguments", "items", "label", "date", "fresh_s"}
ARGUMENT = "$arguments."  # in front of the name of another argument of the call
LONGEST_FRESH_S = 86_400


@dataclass(frozen=True, slots=True)
class Resolver:
    """How one argument is looked up; ``path`` is where it stands, ``*`` for each item of a list."""

    path: Path
    tool: str
    value: Path
    items: Path = ()
    labels: tuple[Path, ...] = ()
    query: str = ""
    arguments: Mapping[str, Json] = field(default_factory=dict)
    date: Path = ()
    fresh_s: float | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def needs(self) -> frozenset[str]:
        """Return the other arguments of the call that the lookup is given."""
        return frozenset(_taken(self.arguments))


def read_resolvers(raw: Mapping[str, Json]) -> tuple[Resolver, ...]:
    """Return a checked definition's ``resolvers``; those that are given another's result come after it."""
    found = [_read(path, told) for path, told in sorted(raw.items())]
    return tuple(sorted(found, key=lambda each: bool(each.needs)))


def keeps_resolvers(before: Mapping[str, Json], after: Mapping[str, Json]) -> bool:
    """Return whether all that was looked up still is, in the same way, and from nothing older."""
    return all(name in after and _keeps(told, after[name]) for name, told in before.items())


def find_declaration_faults(raw: object) -> Iterator[str]:
    """Yield what is wrong with the shape of a definition's ``resolvers``, worded as "where: what"."""
    if not isinstance(raw, Mapping):
        yield 'resolvers: {"argument": {"tool": …, "value": …}}'
        return
    for name, told in raw.items():
        where = f"resolvers/{name}"
        if not isinstance(told, Mapping) or not set(told) >= NEEDED or not set(told) <= PARTS:
            yield f"{where}: give tool and value, and of {', '.join(sorted(PARTS - NEEDED))} what is needed"
            continue
        yield from (f"{where}/{part}: {fault}" for part, fault in _find_part_faults(told))


def _find_part_faults(told: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for part in ("tool", "value"):
        if not isinstance(told[part], str) or not told[part]:
            yield part, "a name"
    for part in ("query", "items", "date"):
        if not isinstance(told.get(part, ""), str):
            yield part, "a name"
    labels = told.get("label", [])
    if not isinstance(labels, str | list) or not all(isinstance(each, str) and each for each in labels):
        yield "label", "a path, or a list of paths"
    for part in ("items", "value", "label", "date"):
        paths = told.get(part) if isinstance(told.get(part), list) else [told.get(part)]
        if any(isinstance(path, str) and path and not _is_path(path) for path in paths or ()):
            yield part, "names with dots between them: one list is read, and of each item one thing"
    if not isinstance(told.get("arguments", {}), Mapping):
        yield "arguments", "what the lookup is always given, by name"
    fresh = told.get("fresh_s")
    if "fresh_s" in told:
        if isinstance(fresh, bool) or not isinstance(fresh, int | float) or not 0 < fresh <= LONGEST_FRESH_S:
            yield "fresh_s", f"more than 0 and at most {LONGEST_FRESH_S} seconds"
        elif isinstance(told.get("arguments", {}), Mapping) and any(_taken(told.get("arguments", {}))):
            yield "fresh_s", "values are listed before there is a call: take no arguments of it"


def _is_path(path: str) -> bool:
    return all(name and name != "*" for name in path.split("."))


def _read(path: str, told: Mapping[str, Json]) -> Resolver:
    labels = told.get("label", [])
    return Resolver(
        path=_parts(path),
        tool=told["tool"],
        value=_parts(told["value"]),
        items=_parts(told.get("items", "")),
        labels=tuple(_parts(label) for label in ([labels] if isinstance(labels, str) else labels)),
        query=told.get("query", ""),
        arguments=told.get("arguments", {}),
        date=_parts(told.get("date", "")),
        fresh_s=told.get("fresh_s"),
    )


def _parts(path: str) -> Path:
    return tuple(path.split(".")) if path else ()


def _taken(arguments: Mapping[str, Json]) -> Iterator[str]:
    for given in arguments.values():
        if isinstance(given, str) and given.startswith(ARGUMENT):
            yield given.removeprefix(ARGUMENT)


def _keeps(before: Mapping[str, Json], after: Mapping[str, Json]) -> bool:
    if {**before, "fresh_s": None} != {**after, "fresh_s": None}:
        return False
    old, new = before.get("fresh_s"), after.get("fresh_s")
    return bool(new <= old) if old is not None and new is not None else old is new
