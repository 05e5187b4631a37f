"""Withdrawing a change set that nobody may apply any more, with the requests of its items."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from approvals.services import void_requests
from runs.models import ChangeSet

OPEN = (ChangeSet.State.DRAFT, ChangeSet.State.OFFERED)


def withdraw_changes(run: UUID, state: ChangeSet.State, code: str, now: datetime) -> int:
    """Close the open change set of a run, in the caller's transaction; return how many there were."""
    found = list(ChangeSet.objects.select_for_update().filter(run=run, state__in=OPEN))
    for change_set in found:
        ChangeSet.objects.filter(pk=change_set.pk).update(state=state, settled_at=now)
        void_requests(subject_ref=str(change_set.pk), code=code, now=now)
    return len(found)
