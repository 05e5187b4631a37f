"""What becomes of the schedules of somebody who is erased."""

from __future__ import annotations

from uuid import UUID

from identities.models import Principal
from runs.models import Schedule


def forget_schedules(principal: Principal) -> list[UUID]:
    """End what is planned for an end user, whose row is locked, and drop what it says; return the streams that do."""
    rows = Schedule.objects.filter(principal=principal)
    rows.select_for_update(no_key=True).update(message="", state=Schedule.State.ENDED, paused_for="")
    return list(rows.values_list("pk", flat=True))
