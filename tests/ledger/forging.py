"""Hands on the database that nobody should have: the owner with the triggers off, and the application's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, transaction

from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.faults import Fault
from agentops.ledger.store import record
from agentops.ledger.verification import Report, verify_streams

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


@contextmanager
def as_owner(*, triggers: bool = False) -> Iterator[psycopg.Connection[Any]]:
    """Lend the owner's connection, by default with the ledger's triggers switched off for the block."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        if not triggers:
            _switch(owner, "DISABLE")
        yield owner
        if not triggers:
            _switch(owner, "ENABLE")


def _switch(owner: psycopg.Connection[Any], verb: str) -> None:
    rows = owner.execute(
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger"
        " WHERE tgname IN ('ledger_entry_row', 'ledger_entry_truncate', 'ledger_stream_row', 'ledger_stream_truncate',"
        " 'ledger_checkpoint_row', 'ledger_checkpoint_truncate')"
    )
    for (table,) in rows.fetchall():
        owner.execute(f"ALTER TABLE ONLY {table} {verb} TRIGGER USER")


@contextmanager
def as_application() -> Iterator[psycopg.Connection[Any]]:
    """Lend a connection of the role that web, workers and beat have."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as application:
        yield application


def write_stream(length: int = 5, stream: UUID | None = None) -> UUID:
    """Write a stream of entries with contents."""
    stream = stream or new_id()
    with transaction.atomic():
        for number in range(1, length + 1):
            draft = Draft("order.noted", AT, {"number": number}, {"text": f"words {number}"}, stream)
            record(stream, "test", draft)
    return stream


def verify(*streams: UUID) -> Report:
    with connection.cursor() as cursor:
        return verify_streams(cursor, list(streams) or None)


def faults(*streams: UUID) -> list[tuple[UUID, int, str]]:
    """Return what verifying finds, without its words."""
    found: list[Fault] = verify(*streams).faults
    return [(fault.stream, fault.seq, fault.code) for fault in found]
