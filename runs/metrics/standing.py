"""How things stand at this moment, in a few statements whose cost does not grow with what has ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

from runs.metrics import families as f
from runs.metrics.families import Family
from runs.routing.standing import read_model_breakers
from runs.turns_of_teams import LONGEST_LAG

Sample = tuple[Family, tuple[str, ...], float]

_RUNS = """
SELECT t.slug, i.slug, n.state, n.count FROM (
    SELECT identity_id, state, count(*) FROM runs_run WHERE ended_at IS NULL GROUP BY 1, 2) AS n
JOIN identities_agentidentity i ON i.id = n.identity_id JOIN identities_team t ON t.id = i.team_id
"""
_WAITING = """
SELECT t.slug, count(*), extract(epoch FROM clock_timestamp() - min(a.created_at))
FROM approvals_approvalrequest a JOIN identities_team t ON t.id = a.team_id WHERE a.state = 'waiting' GROUP BY 1
"""
_BREAKERS = """
SELECT t.slug, o.name, CASE WHEN o.forced_open_at IS NOT NULL THEN 'forced_open' ELSE b.state END
FROM tools_tool o JOIN identities_team t ON t.id = o.team_id LEFT JOIN tools_breakerstate b ON b.tool_id = o.id
WHERE b.tool_id IS NOT NULL OR o.forced_open_at IS NOT NULL
"""
_BEHIND = """
SELECT (SELECT count(*) FROM runs_count_mark m JOIN ledger_stream s ON s.id = m.run_id WHERE s.head_seq > m.seq),
    (SELECT count(*) FROM runs_span_export WHERE failures > 0)
"""


def read_standing() -> Iterator[Sample]:
    """Yield each gauge's samples."""
    for (lag_s,) in _read(LONGEST_LAG):
        yield f.LATENESS, (), float(lag_s or 0)
    for team, agent, state, runs in _read(_RUNS):
        yield f.RUNS, (str(team), str(agent), str(state)), float(runs)
    for team, waiting, oldest_s in _read(_WAITING):
        yield f.WAITING, (str(team),), float(waiting)
        yield f.WAITING_SECONDS, (str(team),), float(oldest_s)
    for team, tool, state in _read(_BREAKERS):
        yield f.BREAKERS, (str(team), str(tool), str(state)), 1.0
    for target, state in read_model_breakers():
        yield f.MODEL_BREAKERS, (target.provider, target.model, state), 1.0
    for uncounted, failing in _read(_BEHIND):
        yield f.UNCOUNTED, (), float(uncounted)
        yield f.UNTOLD, (), float(failing)


def _read(statement: str) -> list[tuple[Any, ...]]:  # Any: columns of the statement
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
