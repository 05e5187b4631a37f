"""A company with an agent that is given a task by the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from agentops.ledger.store import read_entries
from runs.models import Run, Schedule
from runs.schedules.firing import start_due
from runs.schedules.services import Task, create_schedule
from tests.runs.company import ISSUER, SUBJECT, Company
from tests.runs.conftest import company

__all__ = ["company"]

HOURLY = Task("Hourly report", "Report what is open.", "0 * * * *")
Set = Callable[..., Schedule]


@pytest.fixture
def plan(company: Company) -> Set:
    """Return how the application sets a schedule for its user; fields of the task as they are wanted."""

    def set_one(**changes: Any) -> Schedule:  # Any: fields
        if company.published is None:
            company.publish()
        account = company.cast.application.service_account
        more: dict[str, Any] = {
            name: changes.pop(name) for name in ("actor", "principal", "credential") if name in changes
        }
        values: dict[str, Any] = {"actor": account, "principal": (ISSUER, SUBJECT), **more}
        return create_schedule(agent=company.cast.agent, task=replace(HOURLY, **changes), **values)

    return set_one


def this_hour() -> datetime:
    return timezone.now().replace(minute=0, second=0, microsecond=0)


def make_due(schedule: Schedule, hours_ago: int = 0) -> Schedule:
    """Have it wait since an hour of the past."""
    due = this_hour() - timedelta(hours=hours_ago)
    Schedule.objects.filter(pk=schedule.pk).update(due_at=due, starts_at=due)
    schedule.refresh_from_db()
    return schedule


def pass_time(schedule: Schedule, hours_ago: int = 0, seconds: float = 0) -> list[Run]:
    """Have an hourly schedule be due since then, and start what is due; return the runs that began."""
    make_due(schedule, hours_ago)
    before = set(Run.objects.values_list("pk", flat=True))
    start_due(this_hour() + timedelta(seconds=seconds))
    schedule.refresh_from_db()
    return list(Run.objects.exclude(pk__in=before).order_by("pk"))


def told(schedule: Schedule) -> list[tuple[str, Any]]:  # Any: JSON
    """Return what its stream says after it was set: kinds, with the code where there is one."""
    with connection.cursor() as cursor:
        entries = read_entries(cursor, schedule.pk)[1:]
    return [(entry.kind.removeprefix("schedule."), entry.facts.get("code")) for entry in entries]
