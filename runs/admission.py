"""Admission: runs that people will have to review begin no faster than people can review them.

A run whose agent may do something only with people's consent, of a team that has said how much they can bear, asks
before its first step. It begins while what waits for people, and the runs under way that may ask them yet, are no
more than they can decide in an hour. Else it waits, queued, and nothing of it is lost: as decisions are made, the
runs that wait begin in the order of their turn. Nothing is ever decided for want of people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from uuid import UUID

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.ledger.store import Cursor
from approvals.capacity import ReviewLoad, count_by, is_bounded, read_loads
from runs.blast_radius import read_blast_radius
from runs.interruptions import GuardRefused
from runs.models import AgentVersion
from runs.projection import REVIEW_CAPACITY
from runs.session import Session

# Each class of priority is worth an hour of waiting: an urgent run goes first, and no other waits for ever.
_TURN = "r.created_at - r.priority * interval '1 hour', r.id"
_ASKING = "r.needs_review AND r.ended_at IS NULL"
_HELD_BACK = f"{_ASKING} AND r.state = 'queued' AND r.status_reason = '{REVIEW_CAPACITY}'"
_UNDER_WAY = f"""
SELECT r.team_id, count(*) FROM runs_run r
WHERE r.team_id = ANY(%(teams)s) AND {_ASKING} AND r.state = 'in_progress' GROUP BY 1
"""  # noqa: S608  constants
_AHEAD = f"""
SELECT count(*) FROM runs_run r WHERE r.team_id = %(team)s AND {_HELD_BACK} AND r.id <> %(run)s
AND ({_TURN}) < (SELECT {_TURN} FROM runs_run r WHERE r.id = %(run)s)
"""  # noqa: S608  constants
_WHOSE_TURN = f"""
SELECT r.id FROM runs_run r WHERE r.team_id = %(team)s AND {_HELD_BACK} ORDER BY {_TURN} LIMIT %(room)s
"""  # noqa: S608  constants
_TEAMS = f"SELECT DISTINCT r.team_id FROM runs_run r WHERE {_HELD_BACK}"  # noqa: S608  constants
_HOW_MANY = f"""
SELECT r.team_id, r.priority, count(*) FROM runs_run r
WHERE r.team_id = ANY(%(teams)s) AND {_HELD_BACK} GROUP BY 1, 2
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Crowd:
    """How a team's reviewers are loaded, and how many runs under way may ask them yet."""

    load: ReviewLoad
    under_way: int

    @property
    def room(self) -> int:
        """Return how many more runs may begin: what waits may come to what can be decided, and not be more."""
        return max(0, self.load.capacity + 1 - self.load.waiting - self.under_way)

    @property
    def facts(self) -> dict[str, int]:
        """Return the numbers by which a run is held back."""
        load = self.load
        return {"waiting": load.waiting, "under_way": self.under_way, "capacity": load.capacity}


def needs_review(version: AgentVersion, *, proposes: bool = False) -> bool:
    """Return whether a run of this version would have to be admitted: it may ask people, and they are bounded."""
    if not is_bounded(version.identity.team_id):
        return False
    if proposes:  # all that it wants to change is put before them
        return True
    reaches = read_blast_radius(version.identity).tools
    return any(reach.terms.offered and reach.asks != "nobody" for reach in reaches)


def read_crowds(
    cursor: Cursor, teams: Sequence[UUID], *, lock: bool = False, bounds: Mapping[UUID, int] | None = None
) -> dict[UUID, Crowd]:
    """Return how crowded it is before the reviewers of teams; absent are those that nobody has bounded."""
    loads = read_loads(cursor, teams, lock=lock, bounds=bounds)
    under_way = count_by(cursor, _UNDER_WAY, list(loads)) if loads else {}
    return {team: Crowd(load, under_way.get(team, 0)) for team, load in loads.items()}


def admit(session: Session) -> bool:
    """Let the run begin if those who review have room for it and it is its turn; note once that it has to wait."""
    run, team = session.context.run_id, session.context.team_id
    seen: dict[str, int] = {}

    def has_room(cursor: Cursor) -> bool:
        crowd = read_crowds(cursor, [team], lock=True).get(team)
        if crowd is None:
            return True
        seen.update(crowd.facts)
        cursor.execute(_AHEAD, {"team": team, "run": run})
        return bool(cursor.fetchall()[0][0] < crowd.room)

    session.note(e.RUN_ADMITTED, {})
    try:
        session.commit([has_room])
    except GuardRefused:
        session.rewind()
        if session.state.admission == "to_ask":
            session.note(e.RUN_HELD_BACK, seen)
            session.commit()
        return False
    return True


def is_crowded(team: UUID) -> bool:
    """Return whether no further run could begin that may ask the team's people."""
    with borrowed() as connection, connection.cursor() as cursor:
        crowd = read_crowds(cursor, [team]).get(team)
    return crowd is not None and not crowd.room


def find_waiting_teams(cursor: Cursor) -> list[UUID]:
    """Return the teams of which a run is held back."""
    cursor.execute(_TEAMS)
    return [row[0] for row in cursor.fetchall()]


def find_admissible(cursor: Cursor) -> list[UUID]:
    """Return the runs that were held back and may begin now, in the order of their turn, of each team in turn."""
    teams = find_waiting_teams(cursor)
    crowds = read_crowds(cursor, teams) if teams else {}
    found: list[list[UUID]] = []
    for team in teams:
        room = crowds[team].room if team in crowds else None
        cursor.execute(_WHOSE_TURN, {"team": team, "room": room})
        found.append([row[0] for row in cursor.fetchall()])
    return [run for turn in zip_longest(*found) for run in turn if run is not None]


def count_held_back(cursor: Cursor, teams: Sequence[UUID]) -> dict[UUID, dict[int, int]]:
    """Return how many runs of each team are held back, by their priority."""
    cursor.execute(_HOW_MANY, {"teams": list(teams)})
    found: dict[UUID, dict[int, int]] = {team: {} for team in teams}
    for team, priority, number in cursor.fetchall():
        found[team][priority] = number
    return found
