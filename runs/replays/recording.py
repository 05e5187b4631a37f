"""A run as it is recorded: its entries, with their words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from agentops.engine.events import Event
from agentops.errors import NotFound, StateConflict
from agentops.ledger.store import Cursor, StoredEntry, read_entries_for_people
from runs.window import Written

# More than a run of a thousand steps writes: whoever asks waits for the answer.
MOST_ENTRIES = 20_000
_ERASED = """
SELECT seq FROM ledger_entry WHERE stream = %s AND content_digest IS NOT NULL AND salt IS NULL ORDER BY seq
"""


@dataclass(frozen=True)
class Recording:
    """The entries of a run's stream, the first one first; of those in ``erased`` the words are gone."""

    run: UUID
    entries: tuple[StoredEntry, ...]
    erased: frozenset[int]

    @property
    def engine(self) -> int:
        """Return by which engine version the run goes; 0 where its first entry does not tell."""
        told = self.entries[0].facts.get("engine", 1)
        return told if type(told) is int else 0

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Return them as the engine sees them."""
        return tuple(Event(each.seq, each.kind, each.facts, each.at) for each in self.entries)

    @cached_property
    def written(self) -> Mapping[int, Written]:
        """Return them as the window sees them, by seq."""
        return {each.seq: Written(each.kind, each.facts, each.content) for each in self.entries}


def read_recording(cursor: Cursor, run: UUID) -> Recording:
    """Return a run's recording; raises NotFound, and StateConflict for one that is too long to be looked at at once."""
    entries = read_entries_for_people(cursor, run, limit=MOST_ENTRIES + 1, contents=True)
    if not entries:
        raise NotFound("unknown_run", f"there is no run {run}")
    if len(entries) > MOST_ENTRIES:
        raise StateConflict("too_long", f"the run has more than {MOST_ENTRIES} entries")
    cursor.execute(_ERASED, (run,))
    return Recording(run, tuple(entries), frozenset(seq for (seq,) in cursor.fetchall()))
