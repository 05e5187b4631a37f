"""Looking at published versions as their runs grow in number; what is found is kept, and told once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction

from approvals.notices.kinds import Facts, Kind, register_kind
from approvals.notices.outbox import tell_team
from runs.fulfilment.declared import read_tasks
from runs.indicators.rule import LEAST_RUNS, LOOKS, Sample, happens_more, next_look, takes_more
from runs.indicators.samples import count_completed, find_before, first_runs, newest_runs
from runs.indicators.units import BY_NAME, Unit, units_of
from runs.models import AgentVersion, Regression, VersionLook

REGRESSED = "version.regressed"


def look_at_versions(*, now: datetime) -> int:
    """Look at each published version, by task, whose time for it has come; return how many looks that were."""
    return sum(_look(version, task, now) for version, task in _watched())


def list_tasks(version: AgentVersion) -> list[str]:
    """Return by which types of tasks the runs of a version are told apart: those that it declares, and none."""
    return [*(task.name for task in read_tasks(version.tasks)), ""]


def _watched() -> Iterator[tuple[AgentVersion, str]]:
    """Yield the published versions with their tasks, without those that have had their last look."""
    published = AgentVersion.objects.filter(state=AgentVersion.State.PUBLISHED).prefetch_related("looks")
    for version in published.select_related("identity__team"):
        done = {look.task for look in version.looks.all() if look.runs >= LOOKS[-1]}
        yield from ((version, task) for task in list_tasks(version) if task not in done)


def _look(version: AgentVersion, task: str, now: datetime) -> bool:
    """Look once more, if there are runs enough of this version and of the one before it."""
    than = find_before(version)
    if than is None or count_completed(than.pk, LEAST_RUNS, task) < LEAST_RUNS:
        return False
    with transaction.atomic():
        look, _ = VersionLook.objects.select_for_update().get_or_create(version=version, task=task)
        due = next_look(look.runs)
        if due is None or count_completed(version.pk, due, task) < due:
            return False
        _compare(version, than, task, due, now)
        look.runs = due
        look.save()
    return True


def _compare(version: AgentVersion, than: AgentVersion, task: str, runs: int, now: datetime) -> None:
    present, before = first_runs(version.pk, runs, task), newest_runs(than.pk, task=task)
    for unit in units_of(task):
        samples = present[unit.name], before[unit.name]
        if is_comparable(version, than, task, unit) and _is_worse(unit, *samples):
            _keep(version, than, task, unit.name, samples, now)


def is_comparable(version: AgentVersion, than: AgentVersion, task: str, unit: Unit) -> bool:
    """Return whether a unit means the same of both: by other checks another share fulfils them."""
    return not unit.is_share or _checks_of(version, task) == _checks_of(than, task)


def _checks_of(version: AgentVersion, task: str) -> object:
    return next((each.checks for each in read_tasks(version.tasks) if each.name == task), None)


def _is_worse(unit: Unit, present: Sample, before: Sample) -> bool:
    return (happens_more if unit.is_share else takes_more)(present, before)


def _keep(
    version: AgentVersion,
    than: AgentVersion,
    task: str,
    unit: str,
    samples: tuple[Sample, Sample],
    now: datetime,
) -> None:
    present, before = samples
    kept = {"than": than, "before": before.mean, "now": present.mean, "runs": present.number, "at": now}
    found, is_new = Regression.objects.get_or_create(version=version, task=task, unit=unit, defaults=kept)
    if is_new:
        _tell(found, version, than)


def _tell(found: Regression, version: AgentVersion, than: AgentVersion) -> None:
    facts = {
        "agent": version.identity.slug, "version": version.number, "than": than.number, "unit": found.unit,
        "before": round(found.before, 6), "now": round(found.now, 6), "runs": found.runs, "task": found.task,
    }  # fmt: skip
    key = f"{version.pk}:{found.task}:{found.unit}"
    tell_team(version.identity.team, REGRESSED, facts, key=key, subject=version.pk)


def _say(facts: Facts) -> str:
    unit = BY_NAME[str(facts["unit"])]
    task = f" with {facts['task']}" if facts.get("task") else ""  # notices of old name none
    return (
        f"Version {facts['version']} of {facts['agent']} takes more than version {facts['than']}{task}: {unit.label},"
        f" on average of a completed run {facts['now']:g} against {facts['before']:g}, after {facts['runs']} runs."
    )


def register_kinds() -> None:
    """Let it be told."""
    label = "a version takes more for a task than the one before it"
    page = "admin:runs_agentversion_change"
    register_kind(Kind(REGRESSED, label, _say, page, by_mail=True, permission="runs.change_agentversion"))
