"""A recording by what is looked for in it: decisions by step, outcomes by call, words by when they were said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.ledger.store import StoredEntry
from runs.replays.recording import Recording, read_recording

OUTCOMES = frozenset(
    (e.CALL_SUCCEEDED, e.CALL_FAILED, e.CALL_REFUSED, e.APPROVAL_REFUSED, e.CONFIRMATION_REFUSED)
)
_TERMS = frozenset((e.CALL_ALLOWED, e.CALL_GATED, e.CONFIRMATION_REQUESTED))
# What people have done to a run that is no word of its user's, and that a fork has nobody to do again for.
UNREPEATED = frozenset(
    (
        e.CALL_RECEIVED,
        e.CALL_EDITED,
        e.CALL_ASKED_BACK,
        e.CALL_VETOED,
        e.CALL_PARKED,
        e.OUTCOME_SETTLED,
        e.HANDOVER_ANSWERED,
        e.HANDOVER_CLOSED,
        e.LIMIT_REACHED,
        e.BUDGET_EXTENDED,
        e.CALL_STAGED,
        e.CHANGES_SENT_BACK,
        e.MEMORY_RECALLED,
        e.MEMORY_WRITTEN,
    )
)


class Place(NamedTuple):
    """A call in a run."""

    step: int
    call: int


@dataclass
class Recorded:
    """What a run's recording holds, the last of each kind for each step or call."""

    requests: dict[int, StoredEntry] = field(default_factory=dict)  # by step
    decisions: dict[int, StoredEntry] = field(default_factory=dict)  # by step
    terms: dict[Place, StoredEntry] = field(default_factory=dict)
    outcomes: dict[Place, StoredEntry] = field(default_factory=dict)
    questions: dict[Place, StoredEntry] = field(default_factory=dict)
    answers: dict[Place, StoredEntry] = field(default_factory=dict)
    summaries: dict[int, StoredEntry] = field(default_factory=dict)  # by the step up to which it stands
    words: list[StoredEntry] = field(default_factory=list)
    unrepeated: list[StoredEntry] = field(default_factory=list)
    proposed: dict[Place, tuple[str, str]] = field(default_factory=dict)  # tool and digest of the arguments

    def add(self, entry: StoredEntry) -> None:
        """Take up the next entry."""
        facts, kind = entry.facts, entry.kind
        if kind == e.MODEL_REQUESTED:
            self.requests[facts["step"]] = entry
        elif kind == e.STEP_DECIDED:
            self.decisions[facts["step"]] = entry
            for call in facts["calls"]:
                self.proposed[Place(facts["step"], call["call"])] = (call["tool"], call["args_digest"])
        elif kind in (e.SUMMARY_WRITTEN, e.SUMMARY_FAILED):
            self.summaries[facts["through"]] = entry
        elif kind == e.MESSAGE_RECEIVED:
            self.words.append(entry)
        elif kind in UNREPEATED and not _is_empty_recall(entry):
            self.unrepeated.append(entry)
        elif "call" in facts:
            self._add_to_call(Place(facts["step"], facts["call"]), entry)
        if kind == e.CALL_EDITED:  # what became of it is the outcome of other arguments
            self.proposed.pop(Place(facts["step"], facts["call"]), None)

    def _add_to_call(self, place: Place, entry: StoredEntry) -> None:
        for kinds, kept in (
            (_TERMS, self.terms),
            (OUTCOMES, self.outcomes),
            ((e.CALL_ASKED,), self.questions),
            ((e.INPUT_RECEIVED,), self.answers),
        ):
            if entry.kind in kinds:
                kept[place] = entry

    def find_calls(self, tool: str, digest: str) -> Iterator[Place]:
        """Yield where exactly this call was proposed, the first time first, and what became of it is known."""
        for place, proposed in self.proposed.items():
            known = place in self.outcomes or place in self.answers
            if proposed == (tool, digest) and known:
                yield place

    def words_between(self, after: int, before: int) -> Sequence[StoredEntry]:
        """Return what the user has said between two entries."""
        return [each for each in self.words if after < each.seq < before]


def index(recording: Recording) -> Recorded:
    """Return a recording by what is looked for in it."""
    recorded = Recorded()
    for entry in recording.entries:
        recorded.add(entry)
    return recorded


def read_recorded(run: UUID) -> Recorded:
    """Read and index a run's recording; raises NotFound."""
    with borrowed() as connection, connection.cursor() as cursor:
        return index(read_recording(cursor, run))


def member(entry: StoredEntry, name: str) -> Any:  # Any: JSON
    """Return a member of an entry's words, or None where they are gone."""
    return entry.content.get(name) if isinstance(entry.content, dict) else None


def _is_empty_recall(entry: StoredEntry) -> bool:
    """Whether a run looked, before it began, for what earlier ones have noted, and there was nothing."""
    return entry.kind == e.MEMORY_RECALLED and "call" not in entry.facts and not entry.facts["entries"]
