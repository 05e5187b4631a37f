"""What a document changes, for people to read before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from django.db import models

Action = Literal["create", "update", "unchanged"]
MARKS = {"create": "+", "update": "~", "unchanged": " "}
LONGEST_VALUE = 160


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one thing; ``fields`` name → (before, after), before being None for what is new."""

    action: Action
    kind: str
    name: str
    fields: Mapping[str, tuple[object, object]] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{MARKS[self.action]} {self.kind} {self.name}: {self.action}"]
        for name, before, after in leaves(self.fields):
            old = "" if self.action == "create" else f"{show(before)} → "
            lines.append(f"    {name}: {old}{show(after)}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes in the order in which they are made, and notes on what the document leaves alone."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Return whether everything is as the document says."""
        return all(change.action == "unchanged" for change in self.changes)

    def __str__(self) -> str:
        visible = [str(change) for change in self.changes if change.action != "unchanged"]
        untouched = len(self.changes) - len(visible)
        summary = f"{len(visible)} to change, {untouched} unchanged" if visible else "nothing to change"
        return "\n".join([*visible, *(f"! {note}" for note in self.notes), summary])


def leaves(fields: Mapping[str, tuple[object, object]]) -> Iterator[tuple[str, object, object]]:
    """Yield name, before and after of what differs; of nested values only the parts that do."""
    for name, (before, after) in fields.items():
        if isinstance(before, dict) and isinstance(after, dict):
            parts = {
                f"{name}.{key}": (before.get(key), after.get(key))
                for key in (*before, *(key for key in after if key not in before))
            }
            yield from leaves({part: pair for part, pair in parts.items() if pair[0] != pair[1]})
        else:
            yield name, before, after


def show(value: object) -> str:
    """Return a value in one line; rows by their name."""
    match value:
        case None | "":
            text = "(none)"
        case bool():
            text = "yes" if value else "no"
        case datetime():
            text = value.isoformat(timespec="seconds")
        case Decimal():
            text = format(value.normalize(), "f")
        case list() | tuple():
            text = ", ".join(show(item) for item in value) or "(none)"
        case dict():
            text = " ".join(f"{name} {show(item)}" for name, item in value.items()) or "(none)"
        case models.Model():
            text = str(value)
        case _:
            text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
