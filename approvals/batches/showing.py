"""A batch as its page shows it: what the last check of a draft has left ready, one page of it, and checked no further.

Each function takes a few statements and reads what was asked of one page's requests, however many the batch holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, QuerySet, prefetch_related_objects

from agentops.console.sources import find_at
from approvals.batches.outliers import Oddity, find_oddities, join_oddities
from approvals.batches.sealed import Asked, read_asked
from approvals.batches.templates import Leaves, Template, find_leaves
from approvals.models import Absence, ApprovalBatch, ApprovalRequest, BatchGroup, BatchItem
from tools.models import Tool

MOST_ROWS = 50  # of all groups of a page together
LEAST_ROWS = 5  # of each group, where it has so many
NAMED = ("request__tool", "request__identity", "request__principal")


@dataclass(frozen=True, slots=True)
class ShownMember:
    """One request as a page shows it: what varies, each leaf with its value and its sources, and what is unusual."""

    request: ApprovalRequest
    differing: Sequence[tuple[str, str, list[str]]]
    oddities: Sequence[Oddity]


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A group as a page shows it: so many requests, of which these are shown; ``rest`` are not."""

    row: BatchGroup
    template: Template
    members: Sequence[ShownMember]

    @property
    def tool(self) -> Tool:
        return self.row.tool

    @property
    def rest(self) -> int:
        return self.row.count - len(self.members)

    @property
    def sums(self) -> list[tuple[Decimal, str]]:
        return read_sums(self.row.sums)


def read_sums(kept: Iterable[Sequence[str]]) -> list[tuple[Decimal, str]]:
    """Return amounts with their currencies, as a check kept them."""
    return [(Decimal(amount), currency) for amount, currency in kept]


def count_items(batch: ApprovalBatch) -> dict[str, int]:
    """Return how many items are in which state."""
    counted = batch.items.order_by().values_list("state").annotate(number=Count("pk"))
    return {**dict.fromkeys(BatchItem.State.values, 0), **dict(counted)}


def count_outcomes(batch: ApprovalBatch) -> dict[str, int]:
    """Return what became of the decided ones, and of how many."""
    decided = batch.items.filter(state=BatchItem.State.DECIDED).order_by()
    return dict(decided.values_list("outcome").annotate(number=Count("pk")))


def find_named(batch: ApprovalBatch, state: str) -> QuerySet[BatchItem]:
    """Return the items of a state with what a page names of each."""
    return batch.items.filter(state=state).select_related(*NAMED)


def read_stood_in(batch: ApprovalBatch) -> list[tuple[Absence, int]]:
    """Return for whom who is away the person decides, and how many of the ready ones."""
    absences = Absence.objects.select_related("absent").in_bulk([UUID(pk) for pk in batch.stood_in])
    return [(absences[UUID(pk)], number) for pk, number in batch.stood_in.items() if UUID(pk) in absences]


def read_shown(batch: ApprovalBatch, rows: Sequence[BatchGroup], first: int = 0) -> list[ShownGroup]:
    """Return these groups, each with some of its requests from the ``first`` on: what is unusual comes first."""
    each = max(LEAST_ROWS, MOST_ROWS // max(1, len(rows)))
    prefetch_related_objects(rows, "tool")
    items = find_named(batch, BatchItem.State.READY).select_related(*NAMED, "request__tool_version")
    names = [row.name for row in rows]
    placed = list(items.filter(group__in=names, place__gte=first, place__lt=first + each).order_by("place"))
    asked = read_asked(item.request_id for item in placed)
    return [_show(row, [item for item in placed if item.group == row.name], asked) for row in rows]


def _show(row: BatchGroup, items: Sequence[BatchItem], asked: dict[UUID, Asked]) -> ShownGroup:
    found = [(item, asked.get(item.request_id)) for item in items]
    leaves = [find_leaves(None if told is None else told.arguments) for _, told in found]
    same = leaves[0] if leaves else {}
    template = Template({leaf: same[leaf] for leaf in row.constant if leaf in same}, row.varying)
    members = [_member(row, item, told, own) for (item, told), own in zip(found, leaves, strict=True)]
    return ShownGroup(row, template, members)


def _member(row: BatchGroup, item: BatchItem, asked: Asked | None, own: Leaves) -> ShownMember:
    evidence = (asked.evidence if asked else None) or {}
    differing = [
        (leaf, own[leaf], find_at(evidence.get("marks"), leaf)) for leaf in row.varying if leaf in own
    ]
    doubts = find_oddities(own, "", {}, asked.findings if asked else ())
    oddities = join_oddities([Oddity(*kept) for kept in item.oddities], doubts)
    return ShownMember(item.request, differing, oddities)
