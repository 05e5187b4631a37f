"""Reading back what was recorded."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from agentops.ledger.store import StoredEntry, read_entries


def entries_of(stream: UUID) -> list[StoredEntry]:
    """Return the entries of a stream with their contents."""
    with connection.cursor() as cursor:
        return read_entries(cursor, stream, contents=True)


def kinds_of(stream: UUID) -> list[str]:
    """Return what happened, oldest first."""
    return [entry.kind for entry in entries_of(stream)]


def last_entry(stream: UUID) -> StoredEntry:
    """Return what happened last."""
    return entries_of(stream)[-1]
