"""Reading and appending entries in SQL, on whatever cursor the caller's transaction is on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db import connection, transaction

from agentops.errors import NotFound, StateConflict
from agentops.ledger.decoding import (
    AT_IN_RANGE,
    AT_OR_NULL,
    UNREADABLE,
    decode_facts,
    decode_members,
    decode_words,
)
from agentops.ledger.entries import GENESIS, Draft, Head, SealedEntry, seal


class Cursor(Protocol):
    """What this module needs of a DB-API cursor; Django's and psycopg's both have it."""

    def execute(self, query: Any, params: Any = None) -> Any: ...  # Any: psycopg's types differ from Django's
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as read back; ``content`` is None when there was none, when erased, or when not asked for."""

    seq: int
    kind: str
    facts: dict[str, Any]
    content: Any
    at: datetime
    actor: UUID | None


# Every branch selects from ``head``: a moved head writes nothing at all.
APPEND = """
WITH head AS (
    UPDATE ledger_stream SET head_seq = %(to_seq)s, head_hash = %(to_hash)s
    WHERE id = %(stream)s AND head_seq = %(from_seq)s AND head_hash = %(from_hash)s RETURNING id
)
INSERT INTO ledger_entry (stream, seq, kind, facts, content, salt, content_digest, prev_hash, hash, at, actor)
SELECT head.id, e.seq, e.kind, e.facts, e.content, e.salt, e.content_digest, e.prev_hash, e.hash, e.at, e.actor
FROM head, unnest(
    %(seq)s::int[], %(kind)s::text[], %(facts)s::jsonb[], %(content)s::text[], %(salt)s::bytea[],
    %(content_digest)s::bytea[], %(prev_hash)s::bytea[], %(hash)s::bytea[], %(at)s::timestamptz[], %(actor)s::uuid[]
) AS e(seq, kind, facts, content, salt, content_digest, prev_hash, hash, at, actor)
RETURNING 1
"""


@contextmanager
def one_snapshot() -> Iterator[Cursor]:
    """Lend a cursor that sees the ledger as it stands now, for as long as that takes: it locks no row."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Who reads on may take their time.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield cursor


def new_salt() -> bytes:
    return os.urandom(16)


def entry_columns(entries: Sequence[SealedEntry]) -> dict[str, list[Any]]:
    """Return entries turned into the column arrays that ``unnest`` takes."""
    names = ("seq", "kind", "facts", "content", "salt", "content_digest", "prev_hash", "hash", "at", "actor")
    return {name: [getattr(entry, name) for entry in entries] for name in names}


def head_parameters(stream: UUID, before: Head, after: Head) -> dict[str, Any]:
    return {
        "stream": stream,
        "from_seq": before.seq,
        "from_hash": before.hash,
        "to_seq": after.seq,
        "to_hash": after.hash,
    }


def open_stream(cursor: Cursor, stream: UUID, kind: str) -> None:
    """Create the stream if it is new."""
    cursor.execute(
        "INSERT INTO ledger_stream (id, kind, head_seq, head_hash) VALUES (%s, %s, 0, %s) ON CONFLICT DO NOTHING",
        (stream, kind, GENESIS),
    )


_READ_HEAD = "SELECT head_seq, head_hash FROM ledger_stream WHERE id = %s"
_LOCK_HEAD = f"{_READ_HEAD} FOR UPDATE"


def read_head(cursor: Cursor, stream: UUID, *, lock: bool = False) -> Head:
    """Return the stream's head; raises NotFound for an unknown stream."""
    cursor.execute(_LOCK_HEAD if lock else _READ_HEAD, (stream,))
    row = cursor.fetchone()
    if row is None:
        raise NotFound("unknown_stream", f"no ledger stream {stream}")
    return Head(row[0], bytes(row[1]))


def append(cursor: Cursor, stream: UUID, head: Head, drafts: Iterable[Draft]) -> Head:
    """Append drafts behind an expected head; raises StateConflict when the head has moved."""
    entries, after = seal(stream, head, drafts, new_salt)
    cursor.execute(APPEND, {**head_parameters(stream, head, after), **entry_columns(entries)})
    if len(cursor.fetchall()) != len(entries):
        raise StateConflict("head_moved", f"ledger stream {stream} has moved past {head.seq}")
    return after


def record(stream: UUID, kind: str, *drafts: Draft) -> Head:
    """Append to a stream in the caller's Django transaction, opening it when new.

    ``kind`` is the kind of the stream ("identity", "tool", …). The stream's head is locked until commit.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "a ledger entry is written in the transaction of its act"
        )
    with connection.cursor() as cursor:
        open_stream(cursor, stream, kind)
        return append(cursor, stream, read_head(cursor, stream, lock=True), drafts)


def read_entries(
    cursor: Cursor, stream: UUID, *, after: int = 0, limit: int | None = None, contents: bool = False
) -> list[StoredEntry]:
    """Return entries after a seq, oldest first; contents are loaded only when asked for."""
    column = "content" if contents else "NULL"
    cursor.execute(
        f"SELECT seq, kind, facts::text, {column}, at, actor FROM ledger_entry"  # noqa: S608  a constant
        " WHERE stream = %s AND seq > %s ORDER BY seq LIMIT %s",
        (stream, after, limit),
    )
    return [
        StoredEntry(seq, kind, json.loads(facts), None if content is None else json.loads(content), at, actor)
        for seq, kind, facts, content, at, actor in cursor.fetchall()
    ]


def read_entries_for_people(
    cursor: Cursor, stream: UUID, *, after: int = 0, limit: int | None = None, contents: bool = False
) -> list[StoredEntry]:
    """Return entries like ``read_entries``; one that cannot be read stands there as ``entry.unreadable``.

    A run is never folded from this: to go on behind an entry that was not understood is no answer.
    """
    where = "stream = %s AND seq > %s ORDER BY seq LIMIT %s"
    cursor.execute(_for_people(where, contents), (stream, after, limit))
    return [_show(*row) for row in cursor.fetchall()]


def read_last_entries_for_people(
    cursor: Cursor, stream: UUID, *, before: int | None = None, limit: int, contents: bool = False
) -> list[StoredEntry]:
    """Return the last entries, or the last before a seq, oldest first, as ``read_entries_for_people`` does."""
    where = "stream = %s AND seq < coalesce(%s, 2147483647) ORDER BY seq DESC LIMIT %s"
    cursor.execute(_for_people(where, contents), (stream, before, limit))
    return [_show(*row) for row in cursor.fetchall()][::-1]


def _for_people(where: str, contents: bool) -> str:
    column = "content" if contents else "NULL"
    return (
        f"SELECT seq, kind, facts::text, {column}, {AT_IN_RANGE}, {AT_OR_NULL} IS NULL, actor"  # noqa: S608  constants
        f" FROM ledger_entry WHERE {where}"
    )


def _show(
    seq: int, kind: str, facts: str, content: str | None, at: datetime, bad_at: bool, actor: UUID | None
) -> StoredEntry:
    read = None if bad_at else decode_facts(facts)
    if read is None:
        return StoredEntry(seq, UNREADABLE, {"kind": kind}, None, at, actor)
    return StoredEntry(seq, kind, read, decode_words(content, seq), at, actor)


_READ_CONTENTS = (
    "SELECT seq, content FROM ledger_entry WHERE stream = %s AND seq = ANY(%s) AND content IS NOT NULL"
)


def read_contents(cursor: Cursor, stream: UUID, seqs: Sequence[int]) -> dict[int, Any]:
    """Return the contents of the named entries; erased ones are absent.

    For those who act on them: raises ValueError for what is no JSON, since nothing is done on a guess.
    """
    cursor.execute(_READ_CONTENTS, (stream, list(seqs)))
    return {seq: json.loads(content) for seq, content in cursor.fetchall()}


def read_contents_for_people(cursor: Cursor, stream: UUID, seqs: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return contents like ``read_contents``; a note stands in place of what cannot be read."""
    cursor.execute(_READ_CONTENTS, (stream, list(seqs)))
    return {seq: decode_members(content, seq) for seq, content in cursor.fetchall()}


def erase_contents(cursor: Cursor, stream: UUID) -> int:
    """Erase contents and salts of a stream for good; return how many entries lost theirs."""
    cursor.execute(
        "UPDATE ledger_entry SET content = NULL, salt = NULL WHERE stream = %s"
        " AND (content IS NOT NULL OR salt IS NOT NULL) RETURNING 1",
        (stream,),
    )
    return len(cursor.fetchall())
