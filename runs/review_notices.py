"""Telling those who can change it that runs have begun to wait for people to have room: once while they do.

An episode begins with the first run that is held back and ends when none is. What a team's capacity row notes of it is
moved by conditional updates, so that of two sweeps one tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from approvals.capacity import PERMISSION
from approvals.models import ReviewCapacity
from approvals.notices.kinds import Facts, Kind, register_kind
from approvals.notices.outbox import tell_team
from runs.admission import count_held_back, find_waiting_teams, read_crowds

REVIEW_FULL = "review.full"


def tell_held_back(*, now: datetime) -> int:
    """Note of which teams runs are held back, and tell of those where that is new; return of how many."""
    with connection.cursor() as cursor:
        teams = find_waiting_teams(cursor)
    ReviewCapacity.objects.filter(full_since__isnull=False).exclude(team__in=teams).update(full_since=None)
    return sum(_tell(row, now) for row in _find_new(teams))


def _find_new(teams: list[UUID]) -> Iterator[ReviewCapacity]:
    yield from ReviewCapacity.objects.filter(team__in=teams, full_since=None).select_related("team")


@transaction.atomic
def _tell(row: ReviewCapacity, now: datetime) -> bool:
    if not ReviewCapacity.objects.filter(pk=row.pk, full_since=None).update(full_since=now):
        return False
    with connection.cursor() as cursor:
        crowd = read_crowds(cursor, [row.pk]).get(row.pk)
        held = count_held_back(cursor, [row.pk])[row.pk]
    facts = {"team": row.team.slug, "held_back": sum(held.values()), **(crowd.facts if crowd else {})}
    # Where runs are held back and let in by turns, it is said once an hour.
    tell_team(row.team, REVIEW_FULL, facts, key=f"{row.pk}:{now:%Y-%m-%dT%H}", subject=row.pk)
    return True


def _tell_full(facts: Facts) -> str:
    return (
        f"Runs of {facts['team']} have begun to wait: {facts.get('waiting')} requests wait for its people, who can"
        f" decide {facts.get('capacity')} an hour. Have more people decide, or allow more an hour."
    )


def register_kinds() -> None:
    """Let it be told."""
    label = "runs have begun to wait until reviewers have room"
    page = "admin:approvals_reviewcapacity_change"
    register_kind(Kind(REVIEW_FULL, label, _tell_full, page, by_mail=True, permission=PERMISSION))
