"""Checkpoints as people look at them: when, by which key, up to where, and whether each is what was signed."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from agentops.ledger.checkpoints import digest_of, find_forgery, list_own_keys
from agentops.ledger.models import Checkpoint, CheckpointKey
from agentops.ledger.statements import NOTHING_BEFORE

PER_PAGE = 25
# The youngest stream of each, for an example of up to where.
_NEWEST = """
SELECT n.number, h.stream, h.seq FROM unnest(%s::int[]) AS n(number), LATERAL (
    SELECT stream, seq FROM ledger_checkpoint_head WHERE checkpoint = n.number ORDER BY stream DESC LIMIT 1) h
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint: its digest and key (hex), its youngest stream and that stream's entry; ``problem`` if it has one.

    Its heads and the entries behind them are not looked at here: there may be tens of thousands.
    """

    row: Checkpoint
    digest: str
    key: str
    problem: str
    stream: UUID | None
    seq: int | None


def read_signed(before: int | None) -> tuple[list[Signed], int | None]:
    """Return a page of checkpoints, the newest first, and the number that the next page ends before, if there is one.

    Six statements at most, whatever there is.
    """
    listed = Checkpoint.objects.order_by("-number")
    rows = list((listed if before is None else listed.filter(number__lt=before))[: PER_PAGE + 1])
    shown, ages = rows[:PER_PAGE], _order_keys()
    with connection.cursor() as cursor:
        own = list_own_keys(cursor)
        cursor.execute(_NEWEST, [[row.number for row in shown]])
        newest = {number: (stream, seq) for number, stream, seq in cursor.fetchall()}
    pairs = zip(shown, [*rows[1:], None], strict=False)
    found = [
        Signed(
            row,
            digest_of(row).hex(),
            bytes(row.public_key).hex(),
            _find_problem(row, earlier, own, ages),
            *newest.get(row.number, (None, None)),
        )
        for row, earlier in pairs
    ]
    return found, shown[-1].number if len(rows) > PER_PAGE else None


def _order_keys() -> dict[bytes, int]:
    keys = CheckpointKey.objects.order_by("created_at").values_list("public_key", flat=True)
    return {bytes(key): place for place, key in enumerate(keys)}


def _find_problem(
    row: Checkpoint, earlier: Checkpoint | None, own: frozenset[bytes], ages: dict[bytes, int]
) -> str:
    key = bytes(row.public_key)
    number, digest = (earlier.number, digest_of(earlier)) if earlier else (0, NOTHING_BEFORE)
    if (row.number, bytes(row.prev_digest)) != (number + 1, digest):
        return "does not follow the one before it"
    if key not in own:
        return "was signed by a key that is not ours"
    if earlier and ages[key] < ages.get(bytes(earlier.public_key), 0):
        return "was signed by a key that was replaced"
    return find_forgery(row)
