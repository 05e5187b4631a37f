"""What becomes of the schedules of somebody who is erased."""

from __future__ import annotations

from uuid import UUID

from identities.models import Principal
from runs.models import Schedule


def forget_schedules(principal: Principal) -> list[UUID]:
    """End what is planned for an end user, and drop what it says; return the streams that say it, too."""
    rows = Schedule.objects.filter(principal=principal)
    rows.update(message="", state=Schedule.State.ENDED, paused_for="")
    return list(rows.values_list("pk", flat=True))
