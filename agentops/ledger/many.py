"""Appending one draft to each of many streams, in as many statements as for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agentops.errors import StateConflict
from agentops.ledger.entries import GENESIS, Draft, Head, SealedEntry, seal
from agentops.ledger.store import Cursor, entry_columns, new_salt

_OPEN = """
INSERT INTO ledger_stream (id, kind, head_seq, head_hash)
SELECT stream, %s, 0, %s FROM unnest(%s::uuid[]) AS s(stream) ON CONFLICT DO NOTHING
"""
# In one order, as whoever else locks many.
_LOCK = "SELECT id, head_seq, head_hash FROM ledger_stream WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
# Every branch selects from ``head``: a stream that has moved is written nothing.
_APPEND = """
WITH head AS (
    UPDATE ledger_stream s SET head_seq = e.seq, head_hash = e.hash
    FROM unnest(%(stream)s::uuid[], %(seq)s::int[], %(prev_hash)s::bytea[], %(hash)s::bytea[])
        AS e(stream, seq, prev_hash, hash)
    WHERE s.id = e.stream AND s.head_seq = e.seq - 1 AND s.head_hash = e.prev_hash RETURNING s.id
)
INSERT INTO ledger_entry (stream, seq, kind, facts, content, salt, content_digest, prev_hash, hash, at, actor)
SELECT head.id, e.seq, e.kind, e.facts, e.content, e.salt, e.content_digest, e.prev_hash, e.hash, e.at, e.actor
FROM head JOIN unnest(
    %(stream)s::uuid[], %(seq)s::int[], %(kind)s::text[], %(facts)s::jsonb[], %(content)s::text[], %(salt)s::bytea[],
    %(content_digest)s::bytea[], %(prev_hash)s::bytea[], %(hash)s::bytea[], %(at)s::timestamptz[], %(actor)s::uuid[]
) AS e(stream, seq, kind, facts, content, salt, content_digest, prev_hash, hash, at, actor) ON e.stream = head.id
RETURNING 1
"""


def record_many(kind: str, drafts: Mapping[UUID, Draft]) -> None:
    """Append a draft to each stream in the caller's Django transaction, opening those that are new.

    The heads are locked until commit. Raises StateConflict when not every stream took its entry.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "a ledger entry is written in the transaction of its act"
        )
    if not drafts:
        return
    streams = list(drafts)
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, (kind, GENESIS, streams))
        heads = _lock_heads(cursor, streams)
        entries = [seal(stream, heads[stream], [draft], new_salt)[0][0] for stream, draft in drafts.items()]
        cursor.execute(_APPEND, _columns_of(entries))
        if len(cursor.fetchall()) != len(entries):
            raise StateConflict("head_moved", "a ledger stream has moved meanwhile")


def _columns_of(entries: Sequence[SealedEntry]) -> dict[str, list[Any]]:  # Any: columns
    return {**entry_columns(entries), "stream": [entry.stream for entry in entries]}


def _lock_heads(cursor: Cursor, streams: list[UUID]) -> dict[UUID, Head]:
    cursor.execute(_LOCK, (streams,))
    return {stream: Head(seq, bytes(hashed)) for stream, seq, hashed in cursor.fetchall()}
