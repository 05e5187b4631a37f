"""Dates, times and durations from their ISO 8601 texts and back (DMN 1.5, 10.3.4.1)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from tools.decisions.feel.values import FeelType, Value, YearsMonths

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CLOCK = r"\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?"
_TIME = re.compile(_CLOCK, re.ASCII)
_DATE_TIME = re.compile(rf"\d{{4}}-\d\d-\d\dT{_CLOCK}", re.ASCII)
_DAYS_TIME = re.compile(
    r"(-?)P(?=.)(?:(\d{1,9})D)?(?:T(?=.)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)
_YEARS_MONTHS = re.compile(r"(-?)P(?=.)(?:(\d{1,9})Y)?(?:(\d{1,9})M)?", re.ASCII)
_FORMS = {
    FeelType.DATE: "a date is written 2026-11-28",
    FeelType.TIME: "a time is written 09:30:00, with an offset like +02:00 if any",
    FeelType.DATE_TIME: "a date and time is written 2026-11-28T09:30:00, with an offset like +02:00 if any",
    FeelType.DAYS_TIME: "a duration is written P3DT12H or P1Y6M",
    FeelType.YEARS_MONTHS: "a duration in years and months is written P1Y6M",
}


def read_temporal(kind: FeelType, text: str) -> Value:
    """Return the value that a text stands for; raises ValueError with plain words."""
    try:
        value = _READERS[kind](text)
    except (ValueError, OverflowError):
        raise ValueError(f"{_FORMS[kind]}, and exists") from None
    if value is None:
        raise ValueError(_FORMS[kind])
    return value


def read_duration(text: str) -> Value:
    """Return a duration of whichever kind the text has; raises ValueError."""
    months = _years_months(text)
    return months if months is not None else read_temporal(FeelType.DAYS_TIME, text)


def read_any(text: str) -> Value:
    """Return what the text of an ``@"…"`` literal stands for; raises ValueError."""
    if "P" in text[:2]:
        return read_duration(text)
    kinds = {"T" in text: FeelType.DATE_TIME, text[2:3] == ":": FeelType.TIME}
    return read_temporal(kinds.get(True, FeelType.DATE), text)


def write_temporal(value: date | time | timedelta | YearsMonths) -> str:
    """Return the ISO 8601 text of a value."""
    if isinstance(value, YearsMonths):
        return _write_months(value.months)
    return _write_span(value) if isinstance(value, timedelta) else value.isoformat()


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if _DATE.fullmatch(text) else None


def _time(text: str) -> time | None:
    return time.fromisoformat(text) if _TIME.fullmatch(text) else None


def _date_time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if _DATE_TIME.fullmatch(text) else None


def _days_time(text: str) -> timedelta | None:
    match = _DAYS_TIME.fullmatch(text)
    if not match:
        return None
    sign, *parts = match.groups()
    days, hours, minutes, seconds = (Decimal(part or 0) for part in parts)
    whole = timedelta(days=int(days), hours=int(hours), minutes=int(minutes))
    span = whole + timedelta(microseconds=int(seconds * 1_000_000))
    return -span if sign else span


def _years_months(text: str) -> YearsMonths | None:
    match = _YEARS_MONTHS.fullmatch(text)
    if not match:
        return None
    sign, years, months = match.groups()
    total = int(years or 0) * 12 + int(months or 0)
    return YearsMonths(-total if sign else total)


_READERS: dict[FeelType, Callable[[str], Value]] = {
    FeelType.DATE: _date,
    FeelType.TIME: _time,
    FeelType.DATE_TIME: _date_time,
    FeelType.DAYS_TIME: _days_time,
    FeelType.YEARS_MONTHS: _years_months,
}


def _write_months(months: int) -> str:
    years, rest = divmod(abs(months), 12)
    text = (f"{years}Y" if years else "") + (f"{rest}M" if rest else "")
    return ("-" if months < 0 else "") + "P" + (text or "0M")


def _write_span(span: timedelta) -> str:
    size = abs(span)
    minutes, seconds = divmod(size.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    exact = f"{seconds}.{size.microseconds:06}".rstrip("0").rstrip(".") if size.microseconds else str(seconds)
    clock = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (exact, "S")) if str(n) != "0")
    text = (f"{size.days}D" if size.days else "") + (f"T{clock}" if clock else "")
    return ("-" if span < timedelta(0) else "") + "P" + (text or "T0S")
