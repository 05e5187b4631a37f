"""What a document changes, for people to read before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from identities.changes.loosening import loosens
from runs.provisioning.showing import show_change

Action = Literal["create", "update", "unchanged"]
MARKS = {"create": "+", "update": "~", "unchanged": " "}


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one thing; ``fields`` name → (before, after), plain values that can be compared.

    ``follows``: what is created takes the place of an earlier one, which ``before`` then tells of.
    """

    action: Action
    kind: str
    name: str
    fields: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    follows: bool = False

    def __str__(self) -> str:
        lines = [f"{MARKS[self.action]} {self.kind} {self.name}: {self.action}"]
        is_new = self.action == "create" and not self.follows
        for name, before, after in leaves(self.fields):
            mark = "" if is_new or not loosens(name, before, after) else " (loosens)"
            lines.append(show_change(f"{name}{mark}", before, after, is_new=is_new))
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes in the order in which they are made, and notes on what the document leaves alone."""

    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()  # what is proposed, and changes once a second person activates it

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
