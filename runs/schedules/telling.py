"""Telling that a schedule rests: its application, or those of the team who may steer its runs."""

from __future__ import annotations

from approvals.notices.kinds import Facts, Kind, register_kind
from approvals.notices.outbox import tell_application, tell_team
from runs.models import Schedule
from runs.policies import CONTROL

SCHEDULE_PAUSED = "schedule.paused"


def tell_paused(schedule: Schedule) -> None:
    """Tell it in the caller's transaction, once for each time at which it came to rest."""
    facts = {"schedule": str(schedule.pk), "agent": schedule.identity.slug, "reason": schedule.paused_for}
    key = f"{schedule.pk}:{schedule.due_at.isoformat()}"
    if schedule.application is not None:
        tell_application(schedule.application, SCHEDULE_PAUSED, facts, key=key, subject=schedule.pk)
    else:
        tell_team(schedule.team, SCHEDULE_PAUSED, facts, key=key, subject=schedule.pk)


def _tell(facts: Facts) -> str:
    why = str(facts["reason"]).replace("_", " ")
    return (
        f"A schedule of {facts['agent']} rests, because its runs are refused: {why}. Its owner may resume it."
    )


def register_kinds() -> None:
    """Let it be told."""
    label = "a schedule rests because its runs are refused"
    page = "admin:runs_schedule_change"
    register_kind(Kind(SCHEDULE_PAUSED, label, _tell, page, by_mail=True, permission=CONTROL))
