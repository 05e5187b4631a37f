"""The rows of a batch's items, written many at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from agentops.canonical import canonical_json
from approvals.batches.checks import Exclusion
from approvals.models import ApprovalBatch, BatchItem

# One statement whatever their number: the ORM's bulk_update writes a CASE of as many branches.
_UPDATE = """
UPDATE approvals_batchitem i SET state = s.state, code = s.code, detail = s.detail, outcome = s.outcome,
    place = NULL, oddities = '[]'
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[]) AS s(id, state, code, detail, outcome)
WHERE i.id = s.id AND i.batch_id = %s
"""


class Became(NamedTuple):
    """What an item becomes."""

    item: int
    state: str
    code: str = ""
    detail: str = ""
    outcome: str = ""


def save_items(batch: ApprovalBatch, became: Iterable[Became]) -> None:
    """Write what items became, in one statement."""
    rows = list(became)
    if not rows:
        return
    with connection.cursor() as cursor:
        columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
        cursor.execute(_UPDATE, [*columns, batch.pk])


def weed(items: Iterable[BatchItem], exclusions: Mapping[UUID, Exclusion]) -> list[Became]:
    """Return which items are ready and which are excluded, where that differs from what they are."""
    became = []
    for item in items:
        found = exclusions.get(item.request_id)
        state = BatchItem.State.READY if found is None else BatchItem.State.EXCLUDED
        new = Became(item.pk, state, *((found.code, found.detail) if found else ()))
        if (item.state, item.code, item.detail) != new[1:4]:
            became.append(new)
    return became


def digest_batch(batch: ApprovalBatch, ready: Iterable[tuple[UUID, str]]) -> str:
    """Return the SHA-256 (hex) over the verdict and the list of requests with their digests: what is signed.

    The list is in the order of the ids and written as RFC 8785 says, so anybody computes the same.
    """
    return hashlib.sha256(canonical_json(list_batch(batch, ready))).hexdigest()


def about_batch(verdict: str, digest: str) -> str:
    """Return what a security key is asked to sign about a batch: never what it signs about one request."""
    return f"batch-{verdict}:{digest}"


def list_batch(batch: ApprovalBatch, ready: Iterable[tuple[UUID, str]]) -> dict[str, object]:
    """Return what is signed, as JSON."""
    listed = sorted([str(request), digest] for request, digest in ready)
    return {"batch": str(batch.pk), "verdict": batch.verdict, "requests": listed}


def read_ready(batch: ApprovalBatch) -> list[tuple[UUID, str]]:
    """Return the requests that are ready to be decided together, as the batch holds them now."""
    rows = batch.items.filter(state=BatchItem.State.READY)
    return list(rows.values_list("request_id", "digest"))
