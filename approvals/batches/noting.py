"""What a check of a draft found, kept for its page: the groups of what is ready, and what is unusual in which order."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import prefetch_related_objects

from approvals.batches.checks import Candidate
from approvals.batches.groups import Group, arrange
from approvals.batches.items import digest_batch
from approvals.batches.outliers import Oddity
from approvals.batches.seats import find_seats
from approvals.models import ApprovalBatch, BatchGroup

# In one statement whatever their number, as all that writes items.
_PLACE = """
UPDATE approvals_batchitem i SET place = s.place, oddities = s.oddities
FROM unnest(%s::uuid[], %s::integer[], %s::jsonb[]) AS s(request, place, oddities)
WHERE i.batch_id = %s AND i.request_id = s.request AND i.state = 'ready'
"""
TAINTED = "tainted"  # its words may quote an argument: they are read where these can be erased


def note_check(batch: ApprovalBatch, ready: Sequence[Candidate], now: datetime) -> None:
    """Keep what a check has left ready, so that to look at the page checks nothing: its cost is that of one page."""
    prefetch_related_objects([each.request for each in ready], "tool", "tool_version")
    groups = arrange([(each.request, each.asked) for each in ready])
    BatchGroup.objects.filter(batch=batch).delete()
    BatchGroup.objects.bulk_create(_row_of(batch, number, group) for number, group in enumerate(groups))
    _place(batch, groups)
    batch.digest = digest_batch(batch, [(each.request.pk, each.shown) for each in ready])
    batch.sums, batch.stood_in = _add_up(groups), _count_seats(batch, [each.request.pk for each in ready])
    batch.checked_at = now
    batch.save(update_fields=["digest", "checked_at", "sums", "stood_in"])


def _row_of(batch: ApprovalBatch, number: int, group: Group) -> BatchGroup:
    return BatchGroup(
        batch=batch, name=group.name, number=number, tool=group.tool, effect=group.effect, count=len(group.members),
        odd=len(group.odd), sums=_as_json(group.sums), constant=list(group.template.constant),
        varying=group.template.varying,
    )  # fmt: skip


def _place(batch: ApprovalBatch, groups: Sequence[Group]) -> None:
    placed = [(member, place) for group in groups for place, member in enumerate(group.members)]
    if not placed:
        return
    told = [json.dumps(_tell(member.oddities)) for member, _ in placed]
    with connection.cursor() as cursor:
        requests, places = [member.request.pk for member, _ in placed], [place for _, place in placed]
        cursor.execute(_PLACE, [requests, places, told, batch.pk])


def _tell(oddities: Iterable[Oddity]) -> list[tuple[str, str, str, int]]:
    return [(each.code, each.leaf, each.words, each.weight) for each in oddities if each.code != TAINTED]


def _add_up(groups: Sequence[Group]) -> list[list[str]]:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for group in groups:
        for amount, currency in group.sums:
            total[currency] += amount
    return _as_json([(amount, currency) for currency, amount in sorted(total.items())])


def _as_json(sums: Sequence[tuple[Decimal, str]]) -> list[list[str]]:
    return [[str(amount), currency] for amount, currency in sums]


def _count_seats(batch: ApprovalBatch, ready: Sequence[UUID]) -> dict[str, int]:
    """Return for whom who is away the person decides how many of these."""
    seats = find_seats(batch.person, ready).values()
    return dict(Counter(str(absence.pk) for absence in seats if absence is not None).most_common())
