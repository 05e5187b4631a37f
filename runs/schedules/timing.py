"""When a schedule is due: cron expressions in a time zone, and how far each start is put off."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from agentops.errors import ValidationFailed

FIELDS = 5


def check_times(cron: str, zone: str) -> None:
    """Raise ValidationFailed for what names no time: an expression that is none, or that no day fits, or no zone."""
    first_after(cron, zone, datetime.now(UTC))


def first_after(cron: str, zone: str, moment: datetime) -> datetime:
    """Return the first time after a moment, in UTC; where clocks change, no day is left out and none comes twice.

    Raises ValidationFailed.
    """
    try:
        return next(times_after(cron, zone, moment))
    except (CronSimError, StopIteration) as error:
        raise ValidationFailed("bad_cron", f"the cron expression: {str(error) or 'no such time'}") from error


def times_after(cron: str, zone: str, moment: datetime) -> Iterator[datetime]:
    """Return all times after a moment, in UTC."""
    if len(cron.split()) != FIELDS:
        raise ValidationFailed(
            "bad_cron", "a cron expression has five fields: minute, hour, day, month, weekday"
        )
    return (each.astimezone(UTC) for each in CronSim(cron, moment.astimezone(_zone(zone))))


def last_times(cron: str, zone: str, first: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the times from ``first``, which is one, up to a moment; of more than ``most`` the last ones."""
    back = (time.astimezone(UTC) for time in CronSim(cron, _just_after(until, zone), reverse=True))
    found = list(islice(takewhile(lambda time: time >= first, back), most))
    return found[::-1] or [first]


def _just_after(moment: datetime, zone: str) -> datetime:
    """Return the end of a moment's minute: what looks back from there finds that minute, too."""
    return (moment.replace(second=0, microsecond=0) + timedelta(minutes=1)).astimezone(_zone(zone))


def put_off(schedule: UUID, due_at: datetime, spread_s: int) -> datetime:
    """Return when to start: by the schedule's own part of the spread, the same whenever it is asked."""
    digest = hashlib.sha256(schedule.bytes + due_at.isoformat().encode()).digest()
    return due_at + timedelta(seconds=int.from_bytes(digest[:8]) % (spread_s + 1))


def explain(cron: str) -> str:
    """Return an expression in words."""
    return CronSim(cron, datetime.now(UTC)).explain()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValidationFailed("bad_timezone", "a time zone is named like Europe/Berlin, or UTC") from error
