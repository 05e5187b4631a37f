"""What the completed runs of a version took, beside those of the version before it, for the console and the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from runs.indicators.rule import FALSE_ALARMS, LOOKS, MOST_BEFORE, Sample
from runs.indicators.samples import Day, days_of, find_before, newest_runs
from runs.indicators.units import Unit, units_of
from runs.indicators.watching import is_comparable, list_tasks
from runs.models import AgentVersion, Regression

_PLACES = {"cost": 4, "unfulfilled": 3}  # all others are counts and seconds


@dataclass(frozen=True, slots=True)
class Row:
    """One unit: means of a completed run, and by day, the oldest first; ``before`` is None where nothing is like it."""

    unit: Unit
    runs: int
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


@dataclass(frozen=True, slots=True)
class Indicators:
    """Those of one type of task, empty for none, of ``tasks``; ``runs`` and ``runs_before`` are the numbers counted."""

    version: AgentVersion
    than: AgentVersion | None
    tasks: list[str]
    task: str
    runs: int
    runs_before: int
    rows: list[Row]
    looks: tuple[int, ...] = LOOKS
    most: int = MOST_BEFORE

    @property
    def is_told_apart(self) -> bool:
        """Return whether there is any task beside none."""
        return len(self.tasks) > 1

    @property
    def false_alarms(self) -> str:
        """Return in how many of a hundred cases a row is called worse for nothing, at most."""
        return f"{FALSE_ALARMS * 100:g}"


def read_indicators(version: AgentVersion, task: str) -> Indicators:
    """Return what runs of one type of task took, in a fixed number of statements; no rows while none is completed."""
    now, than = newest_runs(version.pk, task=task), find_before(version)
    before = newest_runs(than.pk, task=task) if than else {}
    runs, runs_before = (sample["cost"].number if sample else 0 for sample in (now, before))
    rows = _read_rows(version, than, task, now, before) if runs else []
    return Indicators(version, than, list_tasks(version), task, runs, runs_before, rows)


def _read_rows(
    version: AgentVersion,
    than: AgentVersion | None,
    task: str,
    now: Mapping[str, Sample],
    before: Mapping[str, Sample],
) -> list[Row]:
    found = {each.unit: each for each in version.regressions.filter(task=task).select_related("than")}
    days, known = days_of(version.pk, task=task), [unit for unit in units_of(task) if now[unit.name].number]
    comparable = {unit.name for unit in known if than and is_comparable(version, than, task, unit)}
    earlier = {name: sample for name, sample in before.items() if name in comparable and sample.number}
    return [_row(unit, now[unit.name], earlier.get(unit.name), days, found.get(unit.name)) for unit in known]


def _row(unit: Unit, now: Sample, before: Sample | None, days: list[Day], found: Regression | None) -> Row:
    by_day = [(each.day, each.means[unit.name]) for each in days if unit.name in each.means]
    return Row(unit, now.number, now.mean, before.mean if before else None, by_day, found)
