"""Whether an agent version takes more for a task than the one before: cost and steps of completed runs.

By Welch's t-test of unequal variances (Biometrika 34, 1947), one-sided at one in a hundred, of the newest runs of both;
a difference that nobody would mind is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from uuid import UUID

from django.db import connection

LEAST_RUNS = 20
MOST_RUNS = 500
MINDED = 1.1  # times as much
CRITICAL = 2.33  # of the normal distribution, which so many runs come close to

_SAMPLES = """
SELECT v.id, before.number, now.*, earlier.* FROM runs_agentversion v
CROSS JOIN LATERAL (
    SELECT p.id, p.number FROM runs_agentversion p
    WHERE p.identity_id = v.identity_id AND p.number < v.number AND p.state <> 'draft'
    ORDER BY p.number DESC LIMIT 1
) before
CROSS JOIN LATERAL ({sample}) now
CROSS JOIN LATERAL ({earlier}) earlier
WHERE v.id = ANY(%(versions)s)
"""
_SAMPLE = """
    SELECT count(*), avg(s.usd)::float8, var_samp(s.usd)::float8, avg(s.steps)::float8, var_samp(s.steps)::float8 FROM (
        SELECT r.usd, r.steps FROM runs_run r WHERE r.agent_version_id = {version} AND r.state = 'completed'
            AND r.kind <> 'fork'
        ORDER BY r.id DESC LIMIT %(most)s
    ) s
"""
_QUERY = _SAMPLES.format(sample=_SAMPLE.format(version="v.id"), earlier=_SAMPLE.format(version="before.id"))


@dataclass(frozen=True, slots=True)
class Sample:
    """So many values, their mean and their variance."""

    number: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Regression:
    """What a version takes more of than version ``than``, per completed run: ``cost`` in USD, or ``steps``."""

    unit: str
    than: int
    before: float
    now: float

    @property
    def times(self) -> float:
        """Return how many times as much it is."""
        return self.now / self.before if self.before else float("inf")


def takes_more(now: Sample, before: Sample) -> bool:
    """Return whether it is more than chance, and more than nobody would mind."""
    if min(now.number, before.number) < LEAST_RUNS or now.mean <= before.mean * MINDED:
        return False
    error = sqrt(now.variance / now.number + before.variance / before.number)
    return (now.mean - before.mean) > CRITICAL * error


def find_regressions(versions: Sequence[UUID]) -> dict[UUID, list[Regression]]:
    """Return what each of the versions takes more of than the one before it; in one query."""
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, {"versions": list(versions), "most": MOST_RUNS})
        rows = cursor.fetchall()
    found: dict[UUID, list[Regression]] = {version: [] for version in versions}
    for version, than, number, *now, earlier, usd, usd_variance, steps, steps_variance in rows:
        pairs = {
            "cost": (_sample(number, now[0], now[1]), _sample(earlier, usd, usd_variance)),
            "steps": (_sample(number, now[2], now[3]), _sample(earlier, steps, steps_variance)),
        }
        found[version] = [
            Regression(unit, than, before.mean, present.mean)
            for unit, (present, before) in pairs.items()
            if takes_more(present, before)
        ]
    return found


def _sample(number: int, mean: float | None, variance: float | None) -> Sample:
    return Sample(number, mean or 0.0, variance or 0.0)
