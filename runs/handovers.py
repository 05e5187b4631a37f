"""The queue of conversations that agents passed to people."""

from __future__ import annotations

from uuid import UUID

from agentops.identifiers import new_id
from agentops.ledger.store import Cursor

_OPEN = """
INSERT INTO runs_handover (id, run_id, step, call, opened_at) VALUES (%s, %s, %s, %s, clock_timestamp())
ON CONFLICT DO NOTHING
"""


def open_handover(cursor: Cursor, run_id: UUID, step: int, call: int) -> bool:
    """Put a conversation into the queue, in the transaction that notes the hand-over."""
    cursor.execute(_OPEN, (new_id(), run_id, step, call))
    return True
