"""Words of time in a description, against the time at which it was said. Days are those of UTC.

Where a word has two meanings (last week: the calendar's, or seven days) the span holds both: to fit too much makes
people choose, to fit too little would choose for them.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

Read = Callable[[re.Match[str], date], tuple[date, date] | None]


@dataclass(frozen=True, slots=True)
class Span:
    """Days from the first to the last, both included."""

    first: date
    last: date

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


def take_span(said: str, at: datetime) -> tuple[str, Span | None]:
    """Return the words without those of time, and the days that these mean; None without such words."""
    today = at.astimezone(UTC).date()
    for pattern, read in _WORDS:
        found = pattern.search(said)
        days = read(found, today) if found else None
        if found and days:
            return f"{said[: found.start()]} {said[found.end() :]}", Span(*days)
    return said, None


def read_day(value: Any) -> date | None:  # Any: JSON
    """Return the day of an ISO date or time, or of seconds since 1970; None for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).date()
        if not isinstance(value, str):
            return None
        at = datetime.fromisoformat(value)
        return (at.astimezone(UTC) if at.tzinfo else at).date()
    except (ValueError, OverflowError, OSError):
        return None


def _days_ago(found: re.Match[str], today: date) -> tuple[date, date] | None:
    days = int(found["number"]) * (7 if found["unit"].startswith("week") else 1)
    if days > 36_500:
        return None
    day = today - timedelta(days=days)
    return (day - timedelta(days=6), day) if found["unit"].startswith("week") else (day, day)


def _iso_day(found: re.Match[str], today: date) -> tuple[date, date] | None:
    day = read_day(found["day"])
    return (day, day) if day else None


def _one_day(ago: int) -> Read:
    return lambda _, today: (today - timedelta(days=ago), today - timedelta(days=ago))


def _last_week(_: re.Match[str], today: date) -> tuple[date, date]:
    return today - timedelta(days=today.weekday() + 7), today


def _this_week(_: re.Match[str], today: date) -> tuple[date, date]:
    monday = today - timedelta(days=today.weekday())
    return monday, monday + timedelta(days=6)


def _last_month(_: re.Match[str], today: date) -> tuple[date, date]:
    return (today.replace(day=1) - timedelta(days=1)).replace(day=1), today


def _this_month(_: re.Match[str], today: date) -> tuple[date, date]:
    return today.replace(day=1), today.replace(day=monthrange(today.year, today.month)[1])


_LEAD = r"\b(?:(?:from|of|on|in|since|during)\s+)?"
_WORDS: tuple[tuple[re.Pattern[str], Read], ...] = tuple(
    (re.compile(_LEAD + words + r"(?![\w-])", re.IGNORECASE), read)
    for words, read in (
        (r"(?P<day>\d{4}-\d{2}-\d{2})", _iso_day),
        (r"(?P<number>\d{1,5})\s+(?P<unit>days?|weeks?)\s+ago", _days_ago),
        (r"(?:the\s+)?day before yesterday(?:['’]s)?", _one_day(2)),
        (r"yesterday(?:['’]s)?", _one_day(1)),
        (r"today(?:['’]s)?", _one_day(0)),
        (r"(?:the\s+)?last week(?:['’]s)?", _last_week),
        (r"this week(?:['’]s)?", _this_week),
        (r"(?:the\s+)?last month(?:['’]s)?", _last_month),
        (r"this month(?:['’]s)?", _this_month),
    )
)
