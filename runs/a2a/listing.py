"""A caller's tasks, newest first, in pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from agentops.errors import ValidationFailed
from runs.a2a.admitting import Caller
from runs.a2a.standing import REJECTING, Standing, read_standing
from runs.a2a.taking import own_tasks

MOST, USUAL = 100, 50
_WAITING = Q(ended_at=None) & ~Q(state="queued")
_BROKE = ("halted", "failed", "expired")
# Which runs may stand so; what a run waits for is read from itself.
_CANDIDATES = {
    "SUBMITTED": Q(state="queued"),
    "WORKING": _WAITING,
    "INPUT_REQUIRED": _WAITING,
    "AUTH_REQUIRED": Q(ended_at=None),
    "COMPLETED": Q(state="completed"),
    "CANCELED": Q(state="cancelled"),
    "REJECTED": Q(state__in=(*_BROKE, "cancelled"), status_reason__in=REJECTING),
    "FAILED": Q(state__in=_BROKE) & ~Q(status_reason__in=REJECTING),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks; ``state`` without its prefix, ``after`` the last task of the page before."""

    state: str = ""
    context_id: str = ""
    since: datetime | None = None
    after: str = ""
    size: int = USUAL


def list_tasks(caller: Caller, wanted: Wanted) -> tuple[list[Standing], str, int]:
    """Return a page, what the next one begins after ("" where there is none), and how many there may be in all.

    A page of a state may be shorter than asked for while there are more: what a run waits for is no column.
    """
    rows = own_tasks(caller)
    if wanted.state:
        rows = rows.filter(_CANDIDATES.get(wanted.state, Q(pk=None)))
    if wanted.context_id:
        rows = rows.filter(pk=_read_id(wanted.context_id, "contextId"))
    if wanted.since is not None:
        rows = rows.filter(updated_at__gte=wanted.since)
    total, size = rows.count(), max(1, min(wanted.size, MOST))
    if wanted.after:
        rows = rows.filter(pk__lt=_read_id(wanted.after, "pageToken"))
    page = list(rows.order_by("-id")[: size + 1])
    shown, rest = page[:size], page[size:]
    told = [standing for standing in map(read_standing, shown) if wanted.state in ("", standing.state)]
    return told, str(shown[-1].pk) if rest else "", total


def _read_id(text: str, name: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValidationFailed("bad_parameter", f"{name} is none that was given out here") from None
