"""Which items of a change set depend on which: what the planner said, and what is about the same thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agentops.canonical import keyed_digest
from tools.calls import ToolSpec
from tools.previews.reading import fill_in
from tools.provenance.judging import texts_at

DEPENDS_ON = "depends_on"
MOST = 50  # items of one change set: nobody reviews more at a time
Arguments = dict[str, Any]  # Any: JSON
Edges = Mapping[int, Sequence[int]]  # by item, the items that have to come before

PARAMETER = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1},
    "description": "Numbers of staged items without which this call makes no sense.",
}


def takes_dependencies(spec: ToolSpec) -> bool:
    """Return whether a planner may say what a call depends on: it changes something, and has no such argument."""
    return spec.effect != "read" and DEPENDS_ON not in spec.input_schema.get("properties", {})


def offer_dependencies(schema: Mapping[str, Any]) -> Arguments:
    """Return the schema of a tool's arguments with what its call depends on."""
    return {**schema, "properties": {**schema.get("properties", {}), DEPENDS_ON: PARAMETER}}


def take_out(spec: ToolSpec, arguments: Any) -> Any:  # Any: a model wrote it
    """Return the arguments of the call itself."""
    if not isinstance(arguments, dict) or not takes_dependencies(spec):
        return arguments
    return {name: value for name, value in arguments.items() if name != DEPENDS_ON}


def read_said(spec: ToolSpec, arguments: Any, staged: int) -> tuple[int, ...] | None:  # Any: as above
    """Return which earlier items the planner named; None where it named what is not there."""
    said = arguments.get(DEPENDS_ON, []) if isinstance(arguments, dict) and takes_dependencies(spec) else []
    if not isinstance(said, list) or not all(type(each) is int and 1 <= each <= staged for each in said):
        return None
    return tuple(said)


def find_targets(spec: ToolSpec, arguments: Arguments) -> list[str]:
    """Return keyed digests of what a call is about: what its preview asks for, and each marked identifier."""
    preview = spec.preview
    asked = [["preview", preview.tool, fill_in(preview, arguments)]] if preview else []
    named = [
        ["identifier", text]
        for path, kind in spec.declared.arguments
        if kind == "identifier"
        for text in texts_at(arguments, path)
    ]
    return [keyed_digest(each) for each in (*asked, *named)]


def find_same(targets: Iterable[str], earlier: Mapping[int, Iterable[str]]) -> tuple[int, ...]:
    """Return the earlier items that are about the same thing as one with these targets."""
    wanted = set(targets)
    return tuple(number for number, theirs in earlier.items() if wanted.intersection(theirs))


def find_fallen(edges: Edges, is_accepted: Callable[[int], bool]) -> dict[int, int]:
    """Return the items that fall with one that they depend on, and with which; whatever else was decided about them."""
    fallen: dict[int, int] = {}
    for number in sorted(edges):  # an item depends on earlier ones only
        missing = (each for each in edges[number] if each in fallen or not is_accepted(each))
        if (cause := next(missing, None)) is not None:
            fallen[number] = cause
    return fallen


def find_accepted(edges: Edges, is_accepted: Callable[[int], bool]) -> list[int]:
    """Return the items that are carried out, in their order: accepted, and so is all that they depend on."""
    fallen = find_fallen(edges, is_accepted)
    return [number for number in sorted(edges) if is_accepted(number) and number not in fallen]
