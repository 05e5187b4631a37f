"""What the completed runs of versions took: samples to compare, and days to draw. One statement each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from runs.indicators.rule import MOST_BEFORE, Sample
from runs.indicators.units import ALL_UNITS, units_of
from runs.models import AgentVersion

_TAKEN = ", ".join(f"({unit.sql})::float8 AS {unit.name}" for unit in ALL_UNITS)
# One that is not yet judged is looked at once it is, or the first runs would not be the same ones later.
_OF_TASK = """r.agent_version_id = %(version)s AND r.task = %(task)s AND r.state = 'completed' AND r.kind = 'task'
    AND NOT EXISTS (SELECT FROM runs_fulfilment p WHERE p.run_id = r.id AND p.judged_at IS NULL)"""
_RUNS = f"""
SELECT r.created_at::date AS day, {_TAKEN} FROM runs_run r
WHERE {_OF_TASK}
ORDER BY r.id {{order}} LIMIT %(most)s
"""  # noqa: S608  constants only
_SPREAD = ", ".join(
    f"count({unit.name}), avg({unit.name}), coalesce(var_samp({unit.name}), 0)" for unit in ALL_UNITS
)
_MEANS = ", ".join(f"avg({unit.name})" for unit in ALL_UNITS)
_COUNT = f"""
SELECT count(*) FROM (SELECT FROM runs_run r WHERE {_OF_TASK} LIMIT %(most)s) counted
"""  # noqa: S608  constants only

_FIRST = """
SELECT t.name FROM unnest(%(tasks)s::text[]) WITH ORDINALITY AS t(name, place) WHERE EXISTS (
    SELECT FROM runs_run r
    WHERE r.agent_version_id = %(version)s AND r.task = t.name AND r.state = 'completed' AND r.kind = 'task'
) ORDER BY t.place LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Day:
    """What runs that began on one day took, on average, by unit."""

    day: date
    runs: int
    means: dict[str, float]


def find_before(version: AgentVersion) -> AgentVersion | None:
    """Return the version of the agent that was used before this one, if any was."""
    earlier = AgentVersion.objects.filter(identity=version.identity_id, number__lt=version.number)
    return earlier.exclude(state=AgentVersion.State.DRAFT).order_by("-number").first()


def count_completed(version: UUID, most: int, task: str = "") -> int:
    """Return how many runs of a version are completed, counted so far."""
    [(number,)] = _ask(_COUNT, version, most, task)
    return int(number)


def find_task_with_runs(version: UUID, tasks: list[str]) -> str | None:
    """Return the first of some tasks of which a run of a version is completed; None where none is."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, {"version": version, "tasks": tasks})
        row = cursor.fetchone()
    return str(row[0]) if row else None


def first_runs(version: UUID, number: int, task: str = "") -> dict[str, Sample]:
    """Return what the first completed runs of a version took, by unit."""
    return _read_samples(version, "ASC", number, task)


def newest_runs(version: UUID, number: int = MOST_BEFORE, task: str = "") -> dict[str, Sample]:
    """Return what the newest completed runs of a version took, by unit."""
    return _read_samples(version, "DESC", number, task)


def days_of(version: UUID, number: int = MOST_BEFORE, task: str = "") -> list[Day]:
    """Return what the newest completed runs of a version took by day, the oldest first."""
    query = f"SELECT day, count(*), {_MEANS} FROM ({_RUNS.format(order='DESC')}) s GROUP BY 1 ORDER BY 1"  # noqa: S608  constants
    return [Day(row[0], row[1], _by_unit(row[2:], task)) for row in _ask(query, version, number, task)]


def _read_samples(version: UUID, order: str, most: int, task: str) -> dict[str, Sample]:
    query = f"SELECT {_SPREAD} FROM ({_RUNS.format(order=order)}) s"  # noqa: S608  constants only
    [spread] = _ask(query, version, most, task)
    triples = zip(spread[::3], spread[1::3], spread[2::3], strict=True)
    samples = (Sample(number, mean or 0.0, variance or 0.0) for number, mean, variance in triples)
    found = dict(zip((unit.name for unit in ALL_UNITS), samples, strict=True))
    return {unit.name: found[unit.name] for unit in units_of(task)}


def _by_unit(means: Iterable[float | None], task: str) -> dict[str, float]:
    """Return means by unit, without those of which nobody can tell anything."""
    found = dict(zip((unit.name for unit in ALL_UNITS), means, strict=True))
    return {unit.name: mean for unit in units_of(task) if (mean := found[unit.name]) is not None}


def _ask(query: str, version: UUID, most: int, task: str) -> list[Any]:  # Any: rows of several shapes
    with connection.cursor() as cursor:
        cursor.execute(query, {"version": version, "most": most, "task": task})
        return list(cursor.fetchall())
