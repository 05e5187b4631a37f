"""The typed values of a preview: taken from an answer and a call, and refused unless they are what was declared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from agentops.amounts import plain_decimal
from agentops.pointers import follow
from agentops.text import is_blank
from tools.amounts import LARGEST, number_of
from tools.formats import find_hidden
from tools.previews.declaration import COUNTED, ChangeType, is_argument, is_pointer, path_of

Json = Any  # a value of a definition, a call or an answer
LONGEST_TEXT, LONGEST_STATUS, MOST_LISTED = 500, 80, 50
FINEST, CENTS = Decimal("0.0001"), Decimal("0.01")


class Unreadable(ValueError):
    """The answer does not hold what the tool declared; the words say where, and quote nothing of it."""


class NotGiven(Exception):
    """The call leaves out an argument: nothing changes there."""


def take(source: Json, arguments: Mapping[str, Json], answer: Json, kind: ChangeType) -> Json:
    """Return what a source stands for, as JSON: amounts and numbers as plain decimals, None for nothing.

    Raises Unreadable, or NotGiven.
    """
    if isinstance(source, Mapping):
        plus, minus = (
            sum((_count(each, arguments, answer, kind) for each in source.get(name, ())), Decimal())
            for name in ("plus", "minus")
        )
        return _write(_bound(plus - minus, "the sum"), kind)
    return check(find(source, arguments, answer), kind, _name(source))


def find(source: Json, arguments: Mapping[str, Json], answer: Json) -> Json:
    """Return what stands at a source; raises Unreadable, or NotGiven."""
    if is_pointer(source):
        return point(answer, source)
    return _argument(arguments, path_of(source)) if is_argument(source) else source


def point(answer: Json, pointer: str) -> Json:
    """Return what a JSON pointer leads to (RFC 6901); raises Unreadable."""
    try:
        return follow(answer, pointer)
    except LookupError:
        raise Unreadable(f"its answer has no {pointer}") from None


def _argument(arguments: Json, path: list[str]) -> Json:
    value = arguments
    for place, name in enumerate(path):
        if name == "*" and isinstance(value, list):
            return [_argument(item, path[place + 1 :]) for item in value]
        if not isinstance(value, dict) or name not in value:
            raise NotGiven
        value = value[name]
    return value


def _count(source: Json, arguments: Mapping[str, Json], answer: Json, kind: ChangeType) -> Decimal:
    taken = check(find(source, arguments, answer), kind, _name(source))
    if taken is None:
        raise Unreadable(f"{_name(source)} is nothing, which cannot be added to")
    return Decimal(taken)


def check(value: Json, kind: ChangeType, where: str) -> Json:
    """Return a value as its type is shown; raises Unreadable for another type, and for what people could not read."""
    if value is None:
        return None
    if kind in COUNTED:
        number = number_of(value)
        if number is None:
            raise Unreadable(f"{where} is no number")
        return _write(_bound(number, where), kind)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise Unreadable(f"{where} is neither true nor false")
        return value
    return _check_text(value, kind, where)


def _bound(number: Decimal, where: str) -> Decimal:
    if abs(number) > LARGEST or number != number.quantize(FINEST):
        raise Unreadable(f"{where} is too large or too fine a number")
    return number


def _write(number: Decimal, kind: ChangeType) -> str:
    """Write a number in one way only: 5.0 and 5 are no change."""
    plain = number.normalize() + 0
    return plain_decimal(
        plain.quantize(CENTS) if kind == "money" and plain == plain.quantize(CENTS) else plain
    )


def _check_text(value: Json, kind: ChangeType, where: str) -> str:
    if isinstance(value, list) and kind == "text" and len(value) <= MOST_LISTED:
        value = ", ".join(_check_text(item, kind, where) for item in value)
    if isinstance(value, int | float) and not isinstance(value, bool) and kind == "text":
        value = str(value)
    longest = LONGEST_TEXT if kind == "text" else LONGEST_STATUS
    if not isinstance(value, str):
        raise Unreadable(f"{where} is no {kind}")
    if len(value) > longest:
        raise Unreadable(f"{where} is longer than {longest} characters, more than anybody would read")
    if any(find_hidden(value)) or (value and is_blank(value)):
        raise Unreadable(f"{where} holds characters that nobody sees or that turn around what one sees")
    return _check_date(value, where) if kind == "date" else value


def _check_date(value: str, where: str) -> str:
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(value).isoformat()
        except ValueError:
            continue
    raise Unreadable(f"{where} is no date as 2026-03-04 or 2026-03-04T10:00:00Z")


def _name(source: Json) -> str:
    return f"{source} of its answer" if is_pointer(source) else str(source)
