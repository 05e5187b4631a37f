"""The values of S-FEEL and their types (DMN 1.5, 10.3.2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import Enum

# IEEE 754 decimal128, as DMN asks for. Nothing is trapped: what is not finite becomes null.
DECIMAL128 = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, traps=[])


class FeelType(Enum):
    """What a value can be; the words are those of the standard."""

    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    DATE_TIME = "date and time"
    DAYS_TIME = "days and time duration"
    YEARS_MONTHS = "years and months duration"
    ANY = "Any"


@dataclass(frozen=True, slots=True, order=True)
class YearsMonths:
    """A duration in months, which has no length in days."""

    months: int


Value = Decimal | str | bool | date | time | datetime | timedelta | YearsMonths | None

_TYPES: dict[type, FeelType] = {
    Decimal: FeelType.NUMBER,
    str: FeelType.STRING,
    bool: FeelType.BOOLEAN,
    date: FeelType.DATE,
    time: FeelType.TIME,
    datetime: FeelType.DATE_TIME,
    timedelta: FeelType.DAYS_TIME,
    YearsMonths: FeelType.YEARS_MONTHS,
}
# As DMN's XML writes them; its first versions put a prefix in front.
_XML_NAMES = {
    "dateTime": FeelType.DATE_TIME,
    "dayTimeDuration": FeelType.DAYS_TIME,
    "yearMonthDuration": FeelType.YEARS_MONTHS,
}


def type_of(value: Value) -> FeelType:
    """Return the type of a value; null may be of any."""
    return _TYPES.get(type(value), FeelType.ANY)


def is_a(value: Value, wanted: FeelType) -> bool:
    """Whether a value may stand where a type is wanted; null may stand everywhere."""
    return value is None or wanted is FeelType.ANY or type_of(value) is wanted


def find_type(name: str) -> FeelType | None:
    """Return the built-in type of that name, if it is one (DMN 1.5, 7.3.3)."""
    plain = name.strip().removeprefix("feel:")
    known = _XML_NAMES | {each.value: each for each in FeelType}
    return known.get(plain)


def describe(kind: FeelType) -> str:
    """Return a type with its article, for messages."""
    return "anything" if kind is FeelType.ANY else f"a {kind.value}"
