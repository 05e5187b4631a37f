"""What a reviewer has chosen about the items of a change set, so far: nothing is decided by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from runs.models import ChangeSet

VERDICTS = ("approve", "deny")
FILL = "fill-"  # before the verdict that all items get about which nothing is chosen


@dataclass(frozen=True, slots=True)
class Choices:
    """The fields of the form as they were sent: verdicts and comments by item, the reason, a comment on all."""

    verdicts: dict[int, str] = field(default_factory=dict)
    comments: dict[int, str] = field(default_factory=dict)
    reason: str = ""


def read_verdicts(given: Any) -> dict[int, str]:  # Any: a QueryDict
    """Return the verdicts of a posted form, by item; what was left open is left out."""
    verdicts = {}
    for name, value in given.items():
        number = name.removeprefix("item-")
        if name.startswith("item-") and number.isascii() and number.isdecimal() and len(number) < 4 and value:
            verdicts[int(number)] = value
    return verdicts


def read_comments(given: Any, size: int) -> dict[int, str]:  # Any: a QueryDict
    """Return the comments of a posted form, by item; of 0 about all of them."""
    return {number: given.get(f"comment-{number or 'all'}", "") for number in range(size + 1)}


def read_choices(given: Any, change_set: ChangeSet, undecided: Iterable[int]) -> Choices:  # Any: a QueryDict
    """Return what stands in the form; filled in, where that was pressed, for what is undecided and left open.

    What was chosen about another version, or before it changed, is chosen about nothing here.
    """
    if given.get("digest") != change_set.digest:
        return Choices()
    filled = dict.fromkeys(undecided, given.get("act", "").removeprefix(FILL)) if is_filling(given) else {}
    verdicts = {number: word for number, word in (filled | read_verdicts(given)).items() if word in VERDICTS}
    return Choices(verdicts, read_comments(given, change_set.size), given.get("reason", ""))


def is_filling(given: Any) -> bool:  # Any: a QueryDict
    """Return whether a form was sent to be filled in, and nothing else."""
    return str(given.get("act", "")).startswith(FILL)
