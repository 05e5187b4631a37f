"""Rows of notes made anew from the streams: of the run that wrote them, and of what became of them."""

from __future__ import annotations

from typing import Any

from agentops.engine import events as e
from agentops.ledger.store import Cursor, StoredEntry, read_entries
from runs.memory.writing import written_row
from runs.models import Memory, MemoryReading, Run

BECAME = {"memory.released": "active", "memory.reverted": "reverted", "memory.deleted": "deleted"}


def rebuild_memories(cursor: Cursor, run: Run) -> None:
    """Bring a run's notes, and what it has read of others, to where the streams say that they stand.

    A note that was deleted, or whose words were erased, stays without them.
    """
    for entry in read_entries(cursor, run.pk, contents=True):
        if entry.kind == e.MEMORY_WRITTEN:
            _rebuild(cursor, run, entry)
        elif entry.kind == e.MEMORY_RECALLED:
            for memory in entry.facts["entries"]:
                seen = {"step": entry.facts["step"], "read_at": entry.at}
                MemoryReading.objects.get_or_create(memory_id=memory, run=run, defaults=seen)


def _rebuild(cursor: Cursor, run: Run, entry: StoredEntry) -> None:
    content = entry.content or {"text": "", "passages": []}
    row = written_row(
        entry.facts, content, run=run.pk, identity=run.identity_id, principal=run.principal_id, at=entry.at
    )
    known = Memory.objects.filter(pk=row["id"]).first()
    settled = _read_settled(cursor, row) if entry.content else {"state": "deleted"}
    if (known is not None and known.state == "deleted") or settled.get("state") == "deleted":
        settled |= {"state": "deleted", "text": "", "passages": []}
    Memory.objects.update_or_create(pk=row.pop("id"), defaults={**row, **settled})


def _read_settled(cursor: Cursor, row: dict[str, Any]) -> dict[str, Any]:  # Any: columns
    said = [each for each in read_entries(cursor, row["id"]) if each.kind in BECAME]
    if not said:
        return {}
    return {"state": BECAME[said[-1].kind], "settled_at": said[-1].at, "settled_by_id": said[-1].actor}
