"""Starting what is due. One transaction finds a schedule, starts its run and winds it on: so each time is one run.

A start is checked as if its owner made it this moment. What is refused is recorded; after a few in a row it rests.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agentops.errors import AgentOpsError, Overloaded, StateConflict
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from runs.models import Priority, Run, RunMode, Schedule
from runs.schedules.services import pause
from runs.schedules.telling import tell_paused
from runs.schedules.timing import first_after, last_times, put_off
from runs.services import start_run

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 200
MOST_CAUGHT_UP = 24
REFUSALS_BEFORE_REST = 5
# What no later time mends by itself.
HOPELESS = ("key_revoked", "key_expired", "version_changed", "principal_erased")
LATE = timedelta(minutes=1)  # cron's own measure
LOOK_AGAIN = timedelta(seconds=5)
REST = timedelta(minutes=1)


def start_due(now: datetime) -> int:
    """Start what is due, each in a transaction of its own; return how many runs began."""
    begun = 0
    for _ in range(MOST_AT_ONCE):
        due = Schedule.objects.due(now).values_list("pk", flat=True).first()
        if due is None:
            break
        begun += _fire_apart(due, now)
    return begun


def _fire_apart(schedule_id: UUID, now: datetime) -> bool:
    """Fire a schedule that nobody else is firing; one that breaks must not keep all others from their turn."""
    try:
        with transaction.atomic():
            schedule = _lock(schedule_id, now)
            return schedule is not None and fire(schedule, now) is not None
    except Overloaded as crowded:  # its time stands; it comes as soon as there is room
        _put_off(schedule_id, now, timedelta(seconds=crowded.retry_after_s))
        return False
    except Exception:
        logger.exception("schedule %s could not be started; it rests for a minute", schedule_id)
        _put_off(schedule_id, now, REST)
        return False


def _put_off(schedule_id: UUID, now: datetime, delay: timedelta) -> None:
    Schedule.objects.filter(pk=schedule_id, starts_at__lte=now).update(starts_at=timezone.now() + delay)


def _lock(schedule_id: UUID, now: datetime) -> Schedule | None:
    """Return a due schedule, waiting for whoever fires it or changes it; None when it is due no more."""
    rows = Schedule.objects.due(now).select_for_update(of=("self",), no_key=True)
    related = "identity", "owner", "application", "principal", "credential", "last_run", "team"
    return rows.select_related(*related).filter(pk=schedule_id).first()


def fire(schedule: Schedule, now: datetime) -> Run | None:
    """Start what a schedule, whose row is locked, has to start first, and wind it on."""
    if schedule.overlap == Schedule.Overlap.WAIT and _still_goes(schedule):
        schedule.starts_at = now + LOOK_AGAIN
        schedule.save(update_fields=["starts_at"])
        return None
    times = last_times(schedule.cron, schedule.timezone, schedule.due_at, now, MOST_CAUGHT_UP + 1)
    chosen, following = _choose(schedule, times, now)
    _note_missed(schedule, times, chosen, following, now)
    run = _start(schedule, chosen, now) if chosen else None
    _wind_on(schedule, following or first_after(schedule.cron, schedule.timezone, now))
    return run


def _choose(
    schedule: Schedule, times: list[datetime], now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Return the time to start for, and the one that is due behind it, where that has come, too."""
    if schedule.catch_up == Schedule.CatchUp.ALL:
        first, *rest = times[-MOST_CAUGHT_UP:]
        return first, rest[0] if rest else None
    is_late = now - max(schedule.starts_at, times[-1]) > LATE
    return None if is_late and schedule.catch_up == Schedule.CatchUp.NONE else times[-1], None


def _note_missed(
    schedule: Schedule,
    times: list[datetime],
    chosen: datetime | None,
    following: datetime | None,
    now: datetime,
) -> None:
    """Record the times that nothing is started for; of a great many only the last are counted."""
    missed = [time for time in times if time != chosen and (following is None or time < following)]
    if missed:
        facts = {"times": len(missed), "first": missed[0].isoformat(), "last": missed[-1].isoformat()}
        _record(schedule, "schedule.missed", now, {**facts, "more": len(times) > MOST_CAUGHT_UP})


def _start(schedule: Schedule, due_at: datetime, now: datetime) -> Run | None:
    """Start a run for a time, or record why not."""
    when = {"due_at": due_at.isoformat()}
    if schedule.overlap == Schedule.Overlap.SKIP and _still_goes(schedule):
        _record(schedule, "schedule.skipped", now, {**when, "run": str(schedule.last_run_id)})
        return None
    try:
        run = _start_checked(schedule, now)
    except Overloaded:
        raise
    except AgentOpsError as refused:
        _note_refusal(schedule, refused, when, now)
        return None
    schedule.last_run, schedule.refusals = run, 0
    _record(schedule, "schedule.started", now, {**when, "run": str(run.pk)})
    return run


def _start_checked(schedule: Schedule, now: datetime) -> Run:
    _check_standing(schedule, now)
    with transaction.atomic():  # a refusal takes back what was begun, and leaves the schedule's own row alone
        run = start_run(
            actor=schedule.owner, agent=schedule.identity, message=schedule.message,
            issuer=schedule.principal.issuer, subject=schedule.principal.subject,
            application=schedule.application, credential=schedule.credential,
            priority=Priority(schedule.priority), mode=RunMode(schedule.mode),
            task=schedule.task,
        )  # fmt: skip
        if schedule.agent_version_id not in (None, run.agent_version_id):
            raise StateConflict("version_changed", "another version is published than it was set for")
    return run


def _check_standing(schedule: Schedule, now: datetime) -> None:
    """Refuse what its owner could not ask for now: with a key that has ended, or for somebody who was erased."""
    standing = schedule.credential.state(now) if schedule.credential else "active"
    if standing != "active":
        raise StateConflict(f"key_{standing}", f"the key with which it was set is {standing}")
    if schedule.principal.erased_at is not None:
        raise StateConflict("principal_erased", "the end user was erased")


def _note_refusal(schedule: Schedule, refused: AgentOpsError, when: dict[str, str], now: datetime) -> None:
    schedule.refusals += 1
    _record(schedule, "schedule.refused", now, {**when, "code": refused.code})
    if schedule.refusals >= REFUSALS_BEFORE_REST or refused.code in HOPELESS:
        pause(schedule, refused.code)
        tell_paused(schedule)


def _still_goes(schedule: Schedule) -> bool:
    return schedule.last_run is not None and schedule.last_run.ended_at is None


def _wind_on(schedule: Schedule, due_at: datetime) -> None:
    schedule.due_at = due_at
    schedule.starts_at = put_off(schedule.pk, due_at, schedule.spread_s)
    schedule.save(update_fields=["due_at", "starts_at", "last_run", "refusals"])


def _record(schedule: Schedule, kind: str, now: datetime, facts: dict[str, Any]) -> None:  # Any: JSON
    record(schedule.pk, "schedule", Draft(kind, now, facts))
