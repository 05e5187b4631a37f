"""Looking at published versions as their runs grow in number; what is found is kept, and told once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction

from approvals.notices.kinds import Facts, Kind, register_kind
from approvals.notices.outbox import tell_team
from runs.indicators.rule import LEAST_RUNS, LOOKS, Sample, next_look, takes_more
from runs.indicators.samples import count_completed, find_before, first_runs, newest_runs
from runs.indicators.units import BY_NAME, UNITS
from runs.models import AgentVersion, Regression, VersionLook

REGRESSED = "version.regressed"


def look_at_versions(*, now: datetime) -> int:
    """Look at each published version whose time for it has come; return how many looks that were."""
    return sum(_look(version, now) for version in _watched())


def _watched() -> Iterator[AgentVersion]:
    """Yield the published versions that have not had their last look."""
    published = AgentVersion.objects.filter(state=AgentVersion.State.PUBLISHED).exclude(
        look__runs__gte=LOOKS[-1]
    )
    yield from published.select_related("identity__team")


def _look(version: AgentVersion, now: datetime) -> bool:
    """Look once more, if there are runs enough of this version and of the one before it."""
    than = find_before(version)
    if than is None or count_completed(than.pk, LEAST_RUNS) < LEAST_RUNS:
        return False
    with transaction.atomic():
        look, _ = VersionLook.objects.select_for_update().get_or_create(version=version)
        due = next_look(look.runs)
        if due is None or count_completed(version.pk, due) < due:
            return False
        _compare(version, than, due, now)
        look.runs = due
        look.save()
    return True


def _compare(version: AgentVersion, than: AgentVersion, runs: int, now: datetime) -> None:
    present, before = first_runs(version.pk, runs), newest_runs(than.pk)
    for unit in UNITS:
        samples = present[unit.name], before[unit.name]
        if takes_more(*samples):
            _keep(version, than, unit.name, samples, now)


def _keep(
    version: AgentVersion, than: AgentVersion, unit: str, samples: tuple[Sample, Sample], now: datetime
) -> None:
    present, before = samples
    kept = {"than": than, "before": before.mean, "now": present.mean, "runs": present.number, "at": now}
    found, is_new = Regression.objects.get_or_create(version=version, unit=unit, defaults=kept)
    if is_new:
        _tell(found, version, than)


def _tell(found: Regression, version: AgentVersion, than: AgentVersion) -> None:
    facts = {
        "agent": version.identity.slug, "version": version.number, "than": than.number, "unit": found.unit,
        "before": round(found.before, 6), "now": round(found.now, 6), "runs": found.runs,
    }  # fmt: skip
    tell_team(version.identity.team, REGRESSED, facts, key=f"{version.pk}:{found.unit}", subject=version.pk)


def _say(facts: Facts) -> str:
    unit = BY_NAME[str(facts["unit"])]
    return (
        f"Version {facts['version']} of {facts['agent']} takes more than version {facts['than']}: {unit.label}, on"
        f" average of a completed run {facts['now']:g} against {facts['before']:g}, after {facts['runs']} runs."
    )


def register_kinds() -> None:
    """Let it be told."""
    label = "a version takes more for a task than the one before it"
    page = "admin:runs_agentversion_change"
    register_kind(Kind(REGRESSED, label, _say, page, by_mail=True, permission="runs.change_agentversion"))
