"""Values of the form in which the user gave one: they said a day, and the call carries another.

Of arguments that no tool marks. A day that was worked out is not in the user's words either, so people are asked;
where the user gave none of that form, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tools.provenance.texts import plain

MOST = 40  # characters: a longer value is a text
_DIGIT = re.compile(r"\d")
_PARTS = re.compile(r"\s+|(?<=\d)t(?=\d)")  # a day and a time may be written in one
_AROUND = ".,:;!?()[]\"'«»“”"


def parts_of(text: str) -> list[str]:
    """Return the parts of a text, plain, that a user can have given: 2026-12-08t14:00 is a day and a time."""
    return [part for each in _PARTS.split(plain(text)) if (part := each.strip(_AROUND))]


def shape_of(part: str) -> str:
    """Return the form of a part, its digits as zeros; empty for one without any."""
    return _DIGIT.sub("0", part) if _DIGIT.search(part) else ""


def shapes_in(text: str) -> frozenset[str]:
    """Return the forms of all parts of a text that have digits."""
    return frozenset(map(shape_of, parts_of(text))) - {""}


def find_others(
    arguments: Any,  # Any: JSON
    is_judged: Callable[[tuple[str, ...]], bool],
    is_another: Callable[[str], bool],
    path: tuple[str, ...] = (),
) -> Iterator[tuple[str, ...]]:
    """Yield the paths of values that are another of a form that the user gave, unless they are judged otherwise."""
    if path and is_judged(path):
        return
    if isinstance(arguments, Mapping):
        for name, item in arguments.items():
            yield from find_others(item, is_judged, is_another, (*path, str(name)))
    elif isinstance(arguments, list):
        for item in arguments:
            yield from find_others(item, is_judged, is_another, path)
    elif _is_value(arguments) and any(map(is_another, parts_of(str(arguments)))):
        yield path


def _is_value(found: object) -> bool:
    """Return whether a leaf is a value rather than a text: every part of it has digits."""
    if isinstance(found, bool) or not isinstance(found, str | int | float) or len(str(found)) > MOST:
        return False
    return all(map(shape_of, parts_of(str(found))))
