"""Taking the words of notes away, with those of the run that wrote them."""

from __future__ import annotations

from runs.models import Memory, Run


def erase_memories(run: Run) -> None:
    """Delete the words of all notes that a run has written; that they were there, and who read them, stays."""
    Memory.objects.filter(run=run).update(text="", passages=[], state=Memory.State.DELETED)
