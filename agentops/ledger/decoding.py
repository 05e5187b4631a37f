"""Reading entries that nothing but this code should have written, and that somebody may have written by hand.

The database refuses what cannot be read; a row that is older than its rules, or the owner's, may still be there.
"""

from __future__ import annotations

import json
from typing import Any

UNREADABLE = "entry.unreadable"  # the kind under which people are shown such an entry
DEEPEST = 64  # levels of facts and words: far beyond what is written, well below what Python can walk

# PostgreSQL knows infinite times and years that Python does not; a day's margin is for local time zones.
AT_IN_RANGE = "least(greatest(at, '0001-01-02 00:00:00+00'), '9999-12-30 00:00:00+00')"
AT_OR_NULL = f"CASE WHEN at = {AT_IN_RANGE} THEN at END"


def decode_facts(text: str) -> dict[str, Any] | None:  # Any: JSON
    """Return facts, or None where they cannot be read."""
    facts = _decode(text)
    return facts if isinstance(facts, dict) else None


def decode_words(text: str | None, seq: int) -> Any:  # Any: JSON
    """Return an entry's content for people: None where there is none, a note in its place if it cannot be read."""
    if text is None or text.strip() == "null":
        return None
    value = _decode(text)
    return value if value is not None and _can_be_shown(value) else note_unreadable(seq)


def decode_members(text: str | None, seq: int) -> dict[str, Any]:  # Any: JSON
    """Return content that has members, as ours always has; empty where there is none."""
    value = decode_words(text, seq)
    return {} if value is None else value if isinstance(value, dict) else note_unreadable(seq)


def note_unreadable(seq: int) -> dict[str, Any]:  # Any: JSON
    """Return what stands in place of content that somebody made unreadable."""
    return {"unreadable": f"unreadable content at entry {seq}"}


def _decode(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or a number or a depth beyond what Python takes
        return None
    brackets = text.count("{") + text.count("[")
    return value if brackets <= DEEPEST or _is_shallow(value) else None


def _can_be_shown(value: Any) -> bool:
    """Return whether a value can be written again: Python reads NaN and half characters, nobody else does."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return True
    return False


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
