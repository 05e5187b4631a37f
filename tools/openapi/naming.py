"""Names that a model can write, for those of an interface."""

from __future__ import annotations

import re

LONGEST_ARGUMENT = 60
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")
_PARTS = re.compile(r"[A-Za-z0-9]+")


def name_argument(name: str, place: str, taken: set[str]) -> str:
    """Return a plain name for an argument that no other has, and remember it."""
    plain = _NOT_IN_NAMES.sub("_", name).strip("_")[:LONGEST_ARGUMENT] or "value"
    base = f"_{plain}" if plain[0].isdigit() else plain
    options = (base, f"{base}_in_{place}", *(f"{base}_{number}" for number in range(2, 1_000)))
    chosen = next(option for option in options if option not in taken)
    taken.add(chosen)
    return chosen


def name_tool(operation_id: object, method: str, path: str) -> str:
    """Return a name to propose for a tool: what the document calls it, or its method and path."""
    told = operation_id if isinstance(operation_id, str) and operation_id.isascii() else ""
    return "_".join(_PARTS.findall(told or f"{method.lower()} {path}"))[:64]
