"""Arithmetic in decimal128 and with dates. What has no result is null (DMN 1.5, 10.3.2.5, tables 55 to 57)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tools.decisions.feel.values import DECIMAL128, FeelType, Value, YearsMonths, type_of

_LARGEST_EXPONENT = 999_999_999
_ANY_DAY = date(2000, 1, 2)
_N, _S, _D, _T, _DT, _SPAN, _MONTHS = (
    FeelType.NUMBER,
    FeelType.STRING,
    FeelType.DATE,
    FeelType.TIME,
    FeelType.DATE_TIME,
    FeelType.DAYS_TIME,
    FeelType.YEARS_MONTHS,
)


def calculate(sign: str, left: Value, right: Value) -> Value:
    """Return the result, or null where the operands fit neither each other nor the range."""
    operation = _OPERATIONS.get((sign, type_of(left), type_of(right)))
    try:
        return _within_range(operation(left, right)) if operation else None
    except (OverflowError, ValueError, TypeError):
        return None


def negate(value: Value) -> Value:
    """Return ``-value`` of a number or a duration; null of anything else."""
    if isinstance(value, Decimal):
        return DECIMAL128.minus(value)
    if isinstance(value, timedelta):
        return -value
    return YearsMonths(-value.months) if isinstance(value, YearsMonths) else None


def _within_range(value: Value) -> Value:
    return None if isinstance(value, Decimal) and not value.is_finite() else value


def _power(base: Decimal, exponent: Decimal) -> Value:
    return DECIMAL128.power(base, exponent) if abs(exponent) <= _LARGEST_EXPONENT else None


def _add_days(day: date, span: timedelta) -> date:
    # A date knows whole days only; what is left of a day is cut off downwards.
    return day + timedelta(days=span.days)


def _add_months(day: Any, duration: YearsMonths) -> Any:  # Any: a date, or a date and time
    years, month = divmod(day.year * 12 + day.month - 1 + duration.months, 12)
    first_next = date(years + (month == 11), (month + 1) % 12 + 1, 1)
    last = (first_next - timedelta(days=1)).day
    return day.replace(year=years, month=month + 1, day=min(day.day, last))


def _scale(span: timedelta, factor: Decimal) -> timedelta:
    return _from_micros(DECIMAL128.multiply(_micros(span), factor))


def _add_to_time(clock: time, span: timedelta) -> time:
    # A clock goes round; its offset stays.
    moment = datetime.combine(_ANY_DAY, clock.replace(tzinfo=None)) + timedelta(seconds=span.seconds)
    moment += timedelta(microseconds=span.microseconds)
    return moment.time().replace(tzinfo=clock.tzinfo)


def _between(left: time, right: time) -> timedelta:
    # Of two with an offset what lies between is counted at one place; of one with and one without, nothing is known.
    return datetime.combine(_ANY_DAY, left) - datetime.combine(_ANY_DAY, right)


def _micros(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1))


def _from_micros(count: Decimal) -> timedelta:
    return timedelta(microseconds=int(count.to_integral_value()))


def _part(span: timedelta, divisor: Decimal) -> timedelta | None:
    return _from_micros(DECIMAL128.divide(_micros(span), divisor)) if divisor else None


def _scale_months(duration: YearsMonths, factor: Decimal) -> YearsMonths:
    return YearsMonths(int(DECIMAL128.multiply(Decimal(duration.months), factor)))


def _part_of_months(duration: YearsMonths, divisor: Decimal) -> YearsMonths | None:
    return YearsMonths(int(DECIMAL128.divide(Decimal(duration.months), divisor))) if divisor else None


def _less(duration: YearsMonths) -> YearsMonths:
    return YearsMonths(-duration.months)


_OPERATIONS: dict[tuple[str, FeelType, FeelType], Callable[[Any, Any], Value]] = {  # Any: of these two types
    ("+", _N, _N): DECIMAL128.add,
    ("-", _N, _N): DECIMAL128.subtract,
    ("*", _N, _N): DECIMAL128.multiply,
    ("/", _N, _N): DECIMAL128.divide,
    ("**", _N, _N): _power,
    ("+", _S, _S): lambda left, right: left + right,
    ("+", _D, _SPAN): _add_days,
    ("-", _D, _SPAN): lambda day, span: _add_days(day, -span),
    ("-", _D, _D): lambda left, right: left - right,
    ("+", _D, _MONTHS): _add_months,
    ("-", _D, _MONTHS): lambda day, months: _add_months(day, _less(months)),
    ("+", _DT, _SPAN): lambda moment, span: moment + span,
    ("-", _DT, _SPAN): lambda moment, span: moment - span,
    ("-", _DT, _DT): lambda left, right: left - right,
    ("+", _DT, _MONTHS): _add_months,
    ("-", _DT, _MONTHS): lambda moment, months: _add_months(moment, _less(months)),
    ("+", _SPAN, _SPAN): lambda left, right: left + right,
    ("-", _SPAN, _SPAN): lambda left, right: left - right,
    ("*", _SPAN, _N): _scale,
    ("*", _N, _SPAN): lambda factor, span: _scale(span, factor),
    ("/", _SPAN, _N): _part,
    ("/", _SPAN, _SPAN): lambda left, right: DECIMAL128.divide(_micros(left), _micros(right)),
    ("+", _SPAN, _D): lambda span, day: _add_days(day, span),
    ("+", _SPAN, _DT): lambda span, moment: moment + span,
    ("+", _MONTHS, _D): lambda months, day: _add_months(day, months),
    ("+", _MONTHS, _DT): lambda months, moment: _add_months(moment, months),
    ("+", _T, _SPAN): _add_to_time,
    ("+", _SPAN, _T): lambda span, clock: _add_to_time(clock, span),
    ("-", _T, _SPAN): lambda clock, span: _add_to_time(clock, -span),
    ("-", _T, _T): _between,
    ("*", _MONTHS, _N): _scale_months,
    ("*", _N, _MONTHS): lambda factor, months: _scale_months(months, factor),
    ("/", _MONTHS, _N): _part_of_months,
    ("/", _MONTHS, _MONTHS): lambda left, right: DECIMAL128.divide(
        Decimal(left.months), Decimal(right.months)
    ),
    ("+", _MONTHS, _MONTHS): lambda left, right: YearsMonths(left.months + right.months),
    ("-", _MONTHS, _MONTHS): lambda left, right: YearsMonths(left.months - right.months),
}
