"""A changed value in text: all of it, and of what is long only the lines that differ."""

from __future__ import annotations

import difflib
import json
from datetime import datetime
from decimal import Decimal

from agentops.text import spell_out

ONE_LINE = 160  # characters; what is longer is shown line by line, and never cut
CONTEXT = 1  # lines around a difference


def show_change(name: str, before: object, after: object, *, is_new: bool = False) -> str:
    """Return ``name: before → after`` in one line, or a unified diff of what has many."""
    shown = [after] if is_new else [before, after]
    if not any(map(_is_long, shown)):
        return f"    {name}: {' → '.join(map(show, shown))}"
    lines = [f"+{line}" for line in _lines(after)] if is_new else _diff(before, after)
    return "\n".join([f"    {name}:", *(f"      {line}" for line in lines)])


def show(value: object) -> str:
    """Return a value in one line."""
    match value:
        case None | "":
            return "(none)"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat(timespec="seconds")
        case Decimal():
            return format(value.normalize(), "f")
        case list() | tuple():
            return ", ".join(show(item) for item in value) or "(none)"
        case dict():
            return " ".join(f"{name} {show(item)}" for name, item in value.items()) or "(none)"
        case _:
            return spell_out(str(value))


def _is_long(value: object) -> bool:
    return (isinstance(value, str) and "\n" in value) or len(show(value)) > ONE_LINE


def _diff(before: object, after: object) -> list[str]:
    lines = list(difflib.unified_diff(_lines(before), _lines(after), n=CONTEXT, lineterm=""))
    # The first two lines name files. Without a differing line only the end of the last one differs.
    return lines[2:] or [f"- {json.dumps(before)}", f"+ {json.dumps(after)}"]


def _lines(value: object) -> list[str]:
    match value:
        case None:
            return []
        case str():
            return [spell_out(line) for line in value.splitlines()]
        case dict() | list() | tuple():
            return json.dumps(value, indent=2, ensure_ascii=False, default=show).splitlines()
        case _:
            return [show(value)]
