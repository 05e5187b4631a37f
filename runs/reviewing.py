"""How the people of teams are loaded with requests, and which runs wait for them to have room."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet

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
    teams, bounds = (
        {row.team_id: row.team for row in found},
        {row.team_id: row.per_approver_hour for row in found},
    )
    if not teams:
        return []
    with connection.cursor() as cursor:
        crowds, held = read_crowds(cursor, list(teams), bounds=bounds), count_held_back(cursor, list(teams))
    standing = [Reviewing(teams[team], crowd, _name(held[team])) for team, crowd in crowds.items()]
    return sorted(standing, key=lambda each: each.share, reverse=True)


def _name(held: dict[int, int]) -> dict[str, int]:
    return {priority.label: held.get(priority.value, 0) for priority in reversed(Priority)}
