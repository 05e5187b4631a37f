"""The value right after and right before another. Values have a finest step here, so there is always one, or an end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tools.decisions.feel.values import DECIMAL128, Value, YearsMonths

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)


def after(value: Value) -> Value:
    """Return the next value of the type, or None if this is the last."""
    return _step(value, 1)


def before(value: Value) -> Value:
    """Return the previous value of the type, or None if this is the first; of texts just one that comes before."""
    return _step(value, -1)


def _step(value: Value, direction: int) -> Value:
    try:
        return _STEPS[type(value)](value, direction)
    except OverflowError:
        return None


def _number(value: Decimal, direction: int) -> Value:
    near = DECIMAL128.next_plus(value) if direction > 0 else DECIMAL128.next_minus(value)
    return near if near.is_finite() else None


def _text(value: str, direction: int) -> Value:
    if direction > 0:
        return value + "\x00"
    return "" if value else None


def _time(value: time, direction: int) -> Value:
    # On any day in the middle of the calendar; who leaves the day has left the type.
    moment = datetime.combine(date(2000, 1, 1), value) + direction * _TICK
    return moment.timetz() if moment.day == 1 and moment.month == 1 else None


_STEPS: dict[type, Callable[[Any, int], Value]] = {  # Any: a value of the key's type
    Decimal: _number,
    str: _text,
    date: lambda value, direction: value + direction * _DAY,
    datetime: lambda value, direction: value + direction * _TICK,
    timedelta: lambda value, direction: value + direction * _TICK,
    time: _time,
    YearsMonths: lambda value, direction: YearsMonths(value.months + direction),
}
