"""How the people of teams are loaded with requests, and which runs wait for them to have room."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from approvals.models import ReviewCapacity
from identities.models import Team
from runs.admission import Crowd, count_held_back, read_crowds
from runs.models import Priority


@dataclass(frozen=True, slots=True)
class Reviewing:
    """How a team's people stand: ``held_back`` is how many runs wait for them to have room, by priority."""

    team: Team
    crowd: Crowd
    held_back: dict[str, int]

    @property
    def is_bounded(self) -> bool:
        """Return whether somebody has said how much they can review."""
        return self.crowd.load.per_approver_hour > 0

    @property
    def share(self) -> float:
        """Return for how many hours there is to decide; without people, twice as many as requests."""
        return self.crowd.load.waiting / (self.crowd.load.capacity or 0.5)

    @property
    def told(self) -> str:
        """Return which runs are held back, in words."""
        parts = [f"{number} {priority}" for priority, number in self.held_back.items() if number]
        return f"{', '.join(parts)} held back" if parts else ""


def read_reviewing(rows: QuerySet[ReviewCapacity]) -> list[Reviewing]:
    """Return how teams stand whose people somebody has bounded, the fullest first."""
    found = list(rows.select_related("team"))
    standing = _read({row.team_id: (row.team, row.per_approver_hour) for row in found})
    return sorted(standing, key=lambda each: each.share, reverse=True)


def read_waiting(teams: QuerySet[Team]) -> list[Reviewing]:
    """Return how teams stand whose people have something before them, and those that somebody has bounded.

    First where something waits, of these where there is a bound, the fullest first.
    """
    found = teams.annotate(bound=Coalesce("review_capacity__per_approver_hour", 0))
    standing = _read({team.pk: (team, team.bound) for team in found})
    told = [each for each in standing if each.crowd.load.waiting or each.is_bounded]
    return sorted(
        told, key=lambda each: (each.crowd.load.waiting > 0, each.is_bounded, each.share), reverse=True
    )


def _read(teams: dict[UUID, tuple[Team, int]]) -> list[Reviewing]:
    if not teams:
        return []
    bounds = {pk: bound for pk, (_, bound) in teams.items()}
    with connection.cursor() as cursor:
        crowds, held = read_crowds(cursor, list(teams), bounds=bounds), count_held_back(cursor, list(teams))
    return [Reviewing(teams[team][0], crowd, _name(held[team])) for team, crowd in crowds.items()]


def _name(held: dict[int, int]) -> dict[str, int]:
    return {priority.label: held.get(priority.value, 0) for priority in reversed(Priority)}
