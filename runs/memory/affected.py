"""What a note has reached: the runs that read it, the notes that they wrote since, and so on."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from identities.models import User
from runs.models import Memory, MemoryReading, Run

# A run that wrote before it read has nothing of it in its note.
_NOTES = """
WITH RECURSIVE reached AS (
    SELECT %(memory)s::uuid AS id
    UNION
    SELECT m.id FROM reached n JOIN runs_memoryreading r ON r.memory_id = n.id
        JOIN runs_memory m ON m.run_id = r.run_id AND m.written_at >= r.read_at
)
SELECT id FROM reached
"""


@dataclass(frozen=True, slots=True)
class Affected:
    """``readings`` are those of the note itself and of the ``notes`` that rest on it, the first one first."""

    readings: list[MemoryReading]
    notes: list[Memory]


def find_affected(memory: Memory, viewer: User) -> Affected:
    """Return what a note has reached, as far as somebody may see it."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTES, {"memory": memory.pk})
        reached: list[UUID] = [row[0] for row in cursor.fetchall()]
    visible = Run.objects.visible_to(viewer).order_by()
    readings = MemoryReading.objects.filter(memory__in=reached, run__in=visible).select_related(
        "run__identity"
    )
    notes = Memory.objects.visible_to(viewer).filter(pk__in=reached).exclude(pk=memory.pk)
    notes = notes.select_related("identity", "settled_by")
    return Affected(list(readings.order_by("read_at", "id")), list(notes.order_by("id")))
