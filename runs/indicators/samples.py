"""What the completed runs of versions took: samples to compare, and days to draw. One statement each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db import connection

from runs.indicators.rule import MOST_BEFORE, Sample
from runs.indicators.units import UNITS
from runs.models import AgentVersion

_TAKEN = ", ".join(f"({unit.sql})::float8 AS {unit.name}" for unit in UNITS)
_RUNS = f"""
SELECT r.created_at::date AS day, {_TAKEN} FROM runs_run r
WHERE r.agent_version_id = %(version)s AND r.state = 'completed' AND r.kind = 'task'
ORDER BY r.id {{order}} LIMIT %(most)s
"""  # noqa: S608  constants only
_SPREAD = ", ".join(f"avg({unit.name}), coalesce(var_samp({unit.name}), 0)" for unit in UNITS)
_MEANS = ", ".join(f"avg({unit.name})" for unit in UNITS)
_COUNT = """
SELECT count(*) FROM (
    SELECT FROM runs_run r
    WHERE r.agent_version_id = %(version)s AND r.state = 'completed' AND r.kind = 'task' LIMIT %(most)s
) counted
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


def count_completed(version: UUID, most: int) -> int:
    """Return how many runs of a version are completed, counted so far."""
    [(number,)] = _ask(_COUNT, version, most)
    return int(number)


def first_runs(version: UUID, number: int) -> dict[str, Sample]:
    """Return what the first completed runs of a version took, by unit."""
    return _read_samples(version, "ASC", number)


def newest_runs(version: UUID, number: int = MOST_BEFORE) -> dict[str, Sample]:
    """Return what the newest completed runs of a version took, by unit."""
    return _read_samples(version, "DESC", number)


def days_of(version: UUID, number: int = MOST_BEFORE) -> list[Day]:
    """Return what the newest completed runs of a version took by day, the oldest first."""
    query = f"SELECT day, count(*), {_MEANS} FROM ({_RUNS.format(order='DESC')}) s GROUP BY 1 ORDER BY 1"  # noqa: S608  constants
    return [Day(row[0], row[1], _by_unit(row[2:])) for row in _ask(query, version, number)]


def _read_samples(version: UUID, order: str, most: int) -> dict[str, Sample]:
    query = f"SELECT count(*), {_SPREAD} FROM ({_RUNS.format(order=order)}) s"  # noqa: S608  constants only
    [(number, *spread)] = _ask(query, version, most)
    pairs = zip(spread[::2], spread[1::2], strict=True)
    return {
        unit.name: Sample(number, mean or 0.0, variance or 0.0)
        for unit, (mean, variance) in zip(UNITS, pairs, strict=True)
    }


def _by_unit(means: Iterable[float]) -> dict[str, float]:
    return {unit.name: mean for unit, mean in zip(UNITS, means, strict=True)}


def _ask(query: str, version: UUID, most: int) -> list[Any]:  # Any: rows of several shapes
    with connection.cursor() as cursor:
        cursor.execute(query, {"version": version, "most": most})
        return list(cursor.fetchall())
