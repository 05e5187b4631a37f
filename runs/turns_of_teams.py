"""Whose turn it is: a team with ten thousand runs that are due does not stand before one with a single run.

Messages say that something is due, not what is driven: a driver that gets one takes, of the runs of that priority that
are due, one of the team of which the fewest are being driven, and of that team the one that has waited longest. So
each message has one run driven, whoever began first, and while several teams wait, each has its share of the threads.
All of this is decided by one statement, from what stands in the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from agentops.ledger.store import Cursor
from runs.models import Priority

# A run that has waited for an hour is as urgent as one of the next priority: nobody waits for ever.
AGE_S = 3600
_HIGHEST = max(Priority)

# What an index can be searched with has to stand still for the statement, as ``clock_timestamp()`` does not.
_DUE_AT = "coalesce(r.lease_until, r.wake_at)"
_IS_DUE = f"r.ended_at IS NULL AND {_DUE_AT} <= statement_timestamp()"
_URGENCY = f"""
least({_HIGHEST}, r.priority + greatest(0, floor(extract(epoch FROM statement_timestamp() - {_DUE_AT}) / {AGE_S})))::int
"""
# What is being driven is counted only where more than one team waits.
# Which run is driven for a message that names one: that one, if it only rests, for somebody knows more about it.
# Whoever else chooses at the same moment has its row locked, and takes the next one, were it another team's: who
# took none would leave a run that is due without a message.
CHOOSING = f"""
named AS (
    SELECT r.id, r.priority, r.ended_at IS NULL AND r.lease_until IS NULL
        AND (r.wake_at IS NULL OR r.wake_at > statement_timestamp()) AS rests
    FROM runs_run r WHERE r.id = %(run)s
), waiting AS (
    SELECT t.id AS team_id, first.due_at FROM named CROSS JOIN identities_team t CROSS JOIN LATERAL (
        SELECT {_DUE_AT} AS due_at FROM runs_run r
        WHERE r.priority = named.priority AND r.team_id = t.id AND {_IS_DUE} ORDER BY {_DUE_AT} LIMIT 1
    ) first WHERE NOT named.rests
), turn AS MATERIALIZED (
    SELECT waiting.team_id FROM waiting CROSS JOIN LATERAL (
        SELECT count(*) AS runs FROM runs_run r
        WHERE (SELECT count(*) FROM waiting) > 1 AND r.team_id = waiting.team_id
            AND r.ended_at IS NULL AND r.lease_until IS NOT NULL AND r.lease_until > statement_timestamp()
    ) driven ORDER BY driven.runs, waiting.due_at, waiting.team_id
), next AS (
    SELECT due.id FROM turn CROSS JOIN LATERAL (
        SELECT r.id FROM runs_run r
        WHERE r.priority = (SELECT priority FROM named) AND r.team_id = turn.team_id AND {_IS_DUE}
        ORDER BY {_DUE_AT} LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    ) due LIMIT 1
), chosen AS (
    SELECT id FROM named WHERE rests UNION ALL SELECT id FROM next
)
"""  # noqa: S608  constants only
# One run of each team, then a second one of each: the most urgent first.
_SWEPT = f"""
SELECT due.id FROM identities_team t CROSS JOIN unnest(ARRAY{[int(each) for each in Priority]}) AS class(priority)
CROSS JOIN LATERAL (
    SELECT r.id, {_DUE_AT} AS due_at, {_URGENCY} AS urgency, row_number() OVER (ORDER BY {_DUE_AT}) AS turn
    FROM runs_run r WHERE r.priority = class.priority AND r.team_id = t.id AND {_IS_DUE}
    ORDER BY {_DUE_AT} LIMIT %(limit)s
) due ORDER BY due.urgency DESC, due.turn, due.due_at, due.id LIMIT %(limit)s
"""  # noqa: S608  constants only
_URGENCIES = f"SELECT r.id, {_URGENCY} FROM runs_run r WHERE r.id = ANY(%s)"  # noqa: S608  constants
_LAG = f"""
SELECT extract(epoch FROM statement_timestamp() - min(oldest.due_at))
FROM unnest(%(priorities)s::int[]) AS priority CROSS JOIN LATERAL (
    SELECT {_DUE_AT} AS due_at FROM runs_run r
    WHERE r.priority = priority.priority AND r.team_id = %(team)s AND {_IS_DUE} ORDER BY {_DUE_AT} LIMIT 1
) oldest
"""  # noqa: S608  constants only

# By how many seconds the run is late that waits longest, whosever it is; null when none waits.
LONGEST_LAG = f"""
SELECT extract(epoch FROM statement_timestamp() - min(oldest.due_at))
FROM identities_team t CROSS JOIN unnest(ARRAY{[int(each) for each in Priority]}) AS class(priority)
CROSS JOIN LATERAL (
    SELECT {_DUE_AT} AS due_at FROM runs_run r
    WHERE r.priority = class.priority AND r.team_id = t.id AND {_IS_DUE} ORDER BY {_DUE_AT} LIMIT 1
) oldest
"""  # noqa: S608  constants only


def find_due(cursor: Cursor, limit: int) -> list[UUID]:
    """Return runs that are due, the most urgent first, of each team in turn."""
    cursor.execute(_SWEPT, {"limit": limit})
    return [row[0] for row in cursor.fetchall()]


def read_urgencies(cursor: Cursor, runs: Sequence[UUID]) -> dict[UUID, int]:
    """Return how urgent runs are, as a priority: their own, raised by each hour that they have been due."""
    cursor.execute(_URGENCIES, (list(runs),))
    return dict(cursor.fetchall())


def read_lag_s(cursor: Cursor, team: UUID, priority: Priority) -> float:
    """Return by how many seconds the run of a team is late that waits longest before one of this priority would."""
    cursor.execute(_LAG, {"team": team, "priorities": [int(each) for each in Priority if each >= priority]})
    lag_s = cursor.fetchall()[0][0]
    return float(lag_s) if lag_s is not None else 0.0
