"""The queue of conversations that agents passed to people: rows for the console, made from the runs' streams."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from agentops.engine import events as e
from agentops.identifiers import new_id
from agentops.ledger.store import Cursor, read_entries
from runs.models import Handover

_OPEN = """
INSERT INTO runs_handover (id, run_id, step, call, opened_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""


def open_handover(cursor: Cursor, run_id: UUID, step: int, call: int, at: datetime) -> bool:
    """Put a conversation into the queue, in the transaction that notes the hand-over at this time."""
    cursor.execute(_OPEN, (new_id(), run_id, step, call, at))
    return True


def rebuild_handovers(cursor: Cursor, run_id: UUID) -> None:
    """Bring a run's conversations to where its stream says that they stand; one that is there keeps its id."""
    for entry in read_entries(cursor, run_id):
        where: dict[str, Any] = {"run_id": run_id}  # Any: as facts are
        where |= {name: entry.facts.get(name) for name in ("step", "call")}
        if entry.kind == e.CALL_ASKED and entry.facts["action"] == "handover":
            opened = {"opened_at": entry.at, "answered_at": None, "answered_by": None, "outcome": ""}
            Handover.objects.update_or_create(**where, defaults=opened)
        elif entry.kind in (e.HANDOVER_ANSWERED, e.HANDOVER_CLOSED):
            outcome = entry.facts.get("outcome", Handover.Outcome.GIVEN_BACK)
            Handover.objects.filter(**where).update(
                answered_at=entry.at, answered_by=entry.actor, outcome=outcome
            )
