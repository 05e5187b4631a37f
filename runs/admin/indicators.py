"""The indicators on a version's page: what its completed runs took, beside those of the version before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from runs.indicators.rule import FALSE_ALARMS, LOOKS, Sample
from runs.indicators.samples import Day, days_of, find_before, newest_runs
from runs.indicators.units import UNITS, Unit
from runs.models import AgentVersion, Regression

_PLACES = {"cost": 4}  # all others are counts and seconds


@dataclass(frozen=True, slots=True)
class Row:
    """One unit: means of a completed run, and by day, the oldest first; ``before`` is None without a version before."""

    unit: Unit
    now: float
    before: float | None
    by_day: list[tuple[date, float]]
    found: Regression | None

    @property
    def daily(self) -> list[float]:
        """Return the means alone, for the line."""
        return [mean for _, mean in self.by_day]

    @property
    def said(self) -> str:
        """Return what the line shows, in words."""
        return f"{self.unit.label} of a completed run, by day"

    @property
    def places(self) -> int:
        """Return how many decimals say enough."""
        return _PLACES.get(self.unit.name, 1)


def read_indicators(version: AgentVersion) -> dict[str, Any]:  # Any: of a template's context
    """Return what the page says; no rows while nothing is completed."""
    now = newest_runs(version.pk)
    runs = now["cost"].number
    if not runs:
        return {"rows": []}
    than = find_before(version)
    before = newest_runs(than.pk) if than else {}
    found = {each.unit: each for each in version.regressions.select_related("than")}
    days = days_of(version.pk)
    return {
        "rows": [_row(unit, now, before, days, found.get(unit.name)) for unit in UNITS],
        "runs": runs,
        "than": than,
        "runs_before": before["cost"].number if before else 0,
        "looks": LOOKS,
        "false_alarms": f"{FALSE_ALARMS * 100:g}",
    }


def _row(
    unit: Unit, now: dict[str, Sample], before: dict[str, Sample], days: list[Day], found: Regression | None
) -> Row:
    earlier = before.get(unit.name)
    by_day = [(each.day, each.means[unit.name]) for each in days]
    return Row(unit, now[unit.name].mean, earlier.mean if earlier and earlier.number else None, by_day, found)
