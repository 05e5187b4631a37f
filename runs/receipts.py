"""The receipt of a stop: what was going at that moment, what had been executed by then, what has been stopped.

Everything in it is read from the projections whenever it is asked for, so it tells what became of each run since.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from agentops.ledger.models import Entry
from identities.models import SecretLease, User
from runs.concerns import concerned_by
from runs.models import Run, Stop, ToolCall
from tools.recall import CALLED_BACK

Row = TypeVar("Row", bound=Model)

LISTED = 200


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a stop met. Lists are cut at 200 rows, counts are not.

    ``executed`` are the calls that had taken effect by then, ``in_flight`` those that were under way, ``called_back``
    those of them that were cut off, ``prevented`` those that have been refused since. ``leases`` are the credentials
    that calls held at that moment, ``leases_ended`` those of them that have ended by now.
    """

    going: int
    now: dict[str, int]  # how the runs stand by now, and how many of them
    runs: list[Run]
    executed: int
    executed_calls: list[ToolCall]
    in_flight: int
    in_flight_calls: list[ToolCall]
    called_back: int
    prevented: int
    leases: int
    leases_ended: int


def write_receipt(stop: Stop, viewer: User) -> Receipt:
    """Return the receipt of a stop, as of now, as far as its runs are for the viewer to see."""
    at = stop.stopped_at
    going = going_at(stop) & Run.objects.visible_to(viewer)
    calls = ToolCall.objects.filter(run__in=going)
    if stop.scope == Stop.Scope.TOOL:
        calls = calls.filter(tool_version__tool_id=stop.target)
    executed = calls.filter(state="succeeded", ended_at__lte=at).exclude(effect="read")
    in_flight = calls.filter(started_at__lte=at).filter(Q(ended_at=None) | Q(ended_at__gt=at))
    prevented = calls.filter(state="refused", ended_at__gt=at)
    return Receipt(
        going.count(), dict(Counter(going.values_list("state", flat=True))), _latest(going, "-pk"), executed.count(),
        _latest(executed, "-ended_at"), in_flight.count(), _latest(in_flight, "-started_at"),
        _count_called_back(stop, in_flight), prevented.count(), *_count_leases(stop, going),
    )  # fmt: skip


def _count_called_back(stop: Stop, in_flight: QuerySet[ToolCall]) -> int:
    """Count by the ledger: what became of a call later, its row tells instead."""
    runs = list(in_flight.values_list("run_id", flat=True).distinct())
    cut = Entry.objects.filter(stream_id__in=runs, at__gte=stop.stopped_at, facts__code=CALLED_BACK)
    return cut.count()


def _count_leases(stop: Stop, going: QuerySet[Run]) -> tuple[int, int]:
    """Return how many credentials were out at that moment, and how many of them have ended."""
    at = stop.stopped_at
    held = SecretLease.objects.filter(run_id__in=going.values("pk"), issued_at__lte=at)
    held = held.filter(Q(ended_at=None) | Q(ended_at__gt=at))
    if stop.scope == Stop.Scope.TOOL:
        held = held.filter(tool_id=stop.target)
    return held.count(), held.exclude(ended_at=None).count()


def _latest(rows: QuerySet[Row], order: str) -> list[Row]:
    return list(rows.order_by(order)[:LISTED])


def going_at(stop: Stop) -> QuerySet[Run]:
    """Return the runs that a stop concerned and that were going at its moment."""
    return Run.objects.filter(_was_going(stop.stopped_at), pk__in=concerned_by(stop.scope, stop.target))


def _was_going(at: datetime) -> Q:
    return Q(created_at__lte=at) & (Q(ended_at=None) | Q(ended_at__gt=at))
