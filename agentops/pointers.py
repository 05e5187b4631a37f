"""JSON pointers (RFC 6901): the place in a JSON value that a text like ``/lines/0/price`` leads to."""

from __future__ import annotations

from typing import Any


def steps_of(pointer: str) -> list[str]:
    """Return the names that a JSON pointer leads through."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def follow(value: Any, pointer: str) -> Any:  # Any: JSON
    """Return what a pointer leads to; raises LookupError where nothing is."""
    for step in steps_of(pointer):
        if isinstance(value, list):
            value = value[_place(step)]
        elif isinstance(value, dict):
            value = value[step]
        else:
            raise LookupError(pointer)
    return value


def _place(step: str) -> int:
    """Return a place in a list; there is one way to write each, and none counts from behind."""
    if not (step.isascii() and step.isdigit() and str(int(step[:9])) == step):
        raise LookupError(step)
    return int(step)
