"""What people are shown of many requests, read in one statement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from agentops.ledger.decoding import decode_members

# The first entry of a request's stream is what was asked.
_CONTENTS = (
    "SELECT stream, content FROM ledger_entry WHERE stream = ANY(%s) AND seq = 1 AND content IS NOT NULL"
)


def read_many(requests: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:  # Any: JSON documents
    """Return the evidence of requests by id; what was erased is absent."""
    with connection.cursor() as cursor:
        cursor.execute(_CONTENTS, [list(requests)])
        return {stream: decode_members(content, 1) for stream, content in cursor.fetchall()}
