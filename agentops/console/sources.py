"""Whose a value is, as people read it: marks of sources in the shape of a value, and their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

# The worst first: that is what one has to see.
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "nowhere": "found nowhere",
        "untrusted": "untrusted source",
        "trusted": "trusted source",
        "user": "the user’s words",
    }
)


def find_in(marks: Any) -> list[str]:  # Any: sources in the shape of a JSON value
    """Return the sources among some marks, each once, the worst first."""
    found = set(_flatten(marks))
    return [source for source in WORDS if source in found]


def mark_at(marks: Any, place: str | int) -> Any:  # Any: as above
    """Return the marks of a field or an item; nothing where they have another shape than the value."""
    if isinstance(place, str):
        return marks.get(place) if isinstance(marks, dict) else None
    return marks[place] if isinstance(marks, list) and place < len(marks) else None


def find_at(marks: Any, path: str) -> list[str]:  # Any: as above
    """Return the sources of a leaf by its dotted path, the items of a list numbered; none where nothing is told."""
    for part in path.split(".") if path else ():
        marks = mark_at(marks, int(part) if part.isdigit() and isinstance(marks, list) else part)
    return find_in(marks)


def _flatten(marks: Any) -> Iterator[str]:  # Any: as above
    if isinstance(marks, dict | list):
        for each in marks.values() if isinstance(marks, dict) else marks:
            yield from _flatten(each)
    elif isinstance(marks, str):
        yield marks
