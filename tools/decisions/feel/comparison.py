"""Equality and order, with a third answer, null, for what cannot be compared (DMN 1.5, tables 51 to 54)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, time
from typing import Any

from tools.decisions.feel.values import Value

Truth = bool | None
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {  # Any: two values of one ordered type
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CLOCKED = (time, datetime)


def compare(sign: str, left: Value, right: Value) -> Truth:
    """Return whether the comparison holds; None if the two cannot be compared."""
    if sign in _ORDERS:
        return order(_ORDERS[sign], left, right)
    same = equal(left, right)
    return same if sign == "=" or same is None else not same


def find_order(sign: str) -> Callable[[Any, Any], bool]:
    """Return the function behind one of ``< <= > >=``."""
    return _ORDERS[sign]


def order(holds: Callable[[Any, Any], bool], left: Value, right: Value) -> Truth:
    """Return whether an order holds between two values of one type that has one."""
    return holds(left, right) if is_comparable(left, right) and type(left) is not bool else None


def equal(left: Value, right: Value) -> Truth:
    """Return whether two values are the same; only null equals null."""
    if left is None or right is None:
        return left is right
    return left == right if is_comparable(left, right) else None


def is_comparable(left: Value, right: Value) -> bool:
    """Whether two values are of one type, null being of none; a time with an offset is another type."""
    kind = type(left)
    if kind is not type(right) or left is None:
        return False
    return kind not in _CLOCKED or _has_offset(left) is _has_offset(right)


def all_of(left: Truth, right: Truth) -> Truth:
    """``and`` (DMN 1.5, table 50)."""
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def any_of(left: Truth, right: Truth) -> Truth:
    """``or`` (DMN 1.5, table 50)."""
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def none_of(truth: Truth) -> Truth:
    """``not``: null stays null."""
    return None if truth is None else not truth


def as_truth(value: Value) -> Truth:
    """Return a boolean as it is, and null for anything else."""
    return value if isinstance(value, bool) else None


def _has_offset(value: Any) -> bool:  # Any: a time or a date and time
    return value.tzinfo is not None
