"""Recalling: the notes of earlier runs that fit best, of this agent and this principal and of nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.identifiers import text_of
from agentops.ledger.store import Cursor
from runs.actions.proposals import proposal, where_of
from runs.actions.refusals import note_refused
from runs.memory.meaning import ranking
from runs.memory.meaning.asking import find_vector, may_find_by_meaning
from runs.memory.offering import LONGEST_QUERY, has_memory
from runs.session import Session
from tools.provenance.labels import Label, join_labels

MOST_SHOWN = 8
ROOM = 4_000  # characters of all notes that are shown at once
SHARE = 8  # at most this share of the window
MOST_WORDS = 40  # of the request are looked for: each takes time for each note
NOTE_OVERHEAD = 60  # characters that a note takes in the prompt beside its text
HOW_TO_RECALL = f"recall takes {{query}}: words, at most {LONGEST_QUERY} characters"

# By how many of the words a note has; of equals the newest first, so where none fits the newest are shown.
_BEST = """
SELECT m.id, m.text, m.passages, m.label, m.sensitive, m.written_at
FROM runs_memory m, (SELECT replace(plainto_tsquery('english', %(words)s)::text, '&', '|')::tsquery AS any) AS wanted
WHERE m.identity_id = %(identity)s AND m.principal_id = %(principal)s AND m.state = 'active' AND m.expires_at > %(now)s
ORDER BY CASE WHEN m.words @@ wanted.any THEN ts_rank(m.words, wanted.any) ELSE 0 END DESC,
    m.written_at DESC, m.id DESC LIMIT %(most)s
"""
_MATCHING = """
SELECT m.id, m.text, m.passages, m.label, m.sensitive, m.written_at
FROM runs_memory m, websearch_to_tsquery('english', %(words)s) AS wanted
WHERE m.identity_id = %(identity)s AND m.principal_id = %(principal)s AND m.state = 'active' AND m.expires_at > %(now)s
    AND m.words @@ wanted
ORDER BY ts_rank(m.words, wanted) DESC, m.written_at DESC, m.id DESC LIMIT %(most)s
"""
# The rows are locked against being taken back until the reading is on the record: a revert lists all readers.
_STILL_ACTIVE = "SELECT id FROM runs_memory WHERE id = ANY(%s) AND state = 'active' ORDER BY id FOR SHARE"
_READ = """
INSERT INTO runs_memoryreading (memory_id, run_id, step, read_at) SELECT unnest(%s::uuid[]), %s, %s, %s
ON CONFLICT DO NOTHING
"""


class Note(NamedTuple):
    """A note as it is found."""

    id: UUID
    text: str
    passages: list[str]
    label: str
    sensitive: bool
    written_at: datetime

    @property
    def content(self) -> dict[str, Any]:  # Any: JSON
        """Return what of it is kept with the reading, erasable."""
        return {**self._asdict(), "id": text_of(self.id), "written_at": self.written_at.isoformat()}


def recall_at_start(session: Session) -> None:
    """Note, once and before the planner's first turn, which notes it is shown.

    To be called when the plan is frozen: what is recalled may be a stranger's.
    """
    if session.state.has_recalled or not has_memory(session.state, session.version):
        return
    message = str((session.content_of(session.state.marks[0].seq) or {}).get("message", ""))
    words = " ".join(list(dict.fromkeys(message.split()))[:MOST_WORDS])
    where = {"step": session.state.step}
    vector, ways = _find_ways(session, message, where)
    notes = find_notes(session, ranking.BEST if vector else _BEST, words, vector)
    _note_reading(session, {**where, **ways}, notes)


def recall(session: Session, call: CallState) -> None:
    """Answer a call of ``recall`` with the notes that hold its words."""
    arguments = proposal(session, call.number)["arguments"]
    query = arguments.get("query") if isinstance(arguments, dict) and arguments.keys() == {"query"} else None
    if not isinstance(query, str) or not query.strip() or len(query) > LONGEST_QUERY:
        note_refused(session, call, "invalid_arguments", HOW_TO_RECALL)
        return
    where = where_of(session, call)
    vector, ways = _find_ways(session, query, {"step": where["step"], "for_call": where["call"]})
    notes = find_notes(session, ranking.MATCHING if vector else _MATCHING, query, vector)
    _note_reading(session, {**where, **ways}, notes)


def _find_ways(
    session: Session, text: str, where: dict[str, Any]
) -> tuple[tuple[float, ...], dict[str, Any]]:  # Any: facts
    """Return the vector of what is looked for, empty where there is none, and by which ways notes are found, as facts.

    Where no model is set for it, nothing is said of ways: there is one.
    """
    if not may_find_by_meaning(session):
        return (), {}
    found = find_vector(session, text, where)
    if isinstance(found, str):
        return (), {"ways": ["words"], "without": found}
    return found, {"ways": ["words", "meaning"]}


def find_notes(session: Session, statement: str, words: str, vector: tuple[float, ...] = ()) -> list[Note]:
    """Return the best notes of the run's agent and principal, as many as there is room for."""
    context = session.context
    asked = {
        "identity": context.identity_id, "principal": context.principal_id, "now": session.now, "most": MOST_SHOWN,
        "words": words, **(ranking.describe(vector) if vector else {}),
    }  # fmt: skip
    with borrowed() as connection:
        found = [Note(*row) for row in connection.execute(statement, asked).fetchall()]
    return _cut(found, min(ROOM, session.version.context_tokens * 3 // SHARE))


def _cut(notes: Sequence[Note], room: int) -> list[Note]:
    kept = []
    for note in notes:
        room -= len(note.text) + NOTE_OVERHEAD
        if room < 0:
            break
        kept.append(note)
    return kept


def _note_reading(session: Session, where: dict[str, Any], notes: Sequence[Note]) -> None:
    """Write which notes are shown, together with the rows that say so; a note taken back meanwhile is not shown."""
    label = join_labels(Label(_source(note), note.sensitive) for note in notes)
    facts = {
        **where, "entries": [text_of(note.id) for note in notes], "label": label.source,
        "sensitive": label.sensitive, "size": sum(len(note.text) + NOTE_OVERHEAD for note in notes),
    }  # fmt: skip
    session.note(e.MEMORY_RECALLED, facts, {"notes": [note.content for note in notes]})
    if notes:
        read = [note.id for note in notes], session.context.run_id, facts["step"], session.now
        session.commit([lambda cursor: _keep_readings(cursor, *read)])


def _source(note: Note) -> Any:  # Any: one of the labels' sources, as the database checks
    return "untrusted" if note.label == "untrusted" else "trusted"


def _keep_readings(cursor: Cursor, notes: list[UUID], run: UUID, step: int, at: datetime) -> bool:
    cursor.execute(_STILL_ACTIVE, (notes,))
    if len(cursor.fetchall()) != len(notes):
        return False
    cursor.execute(_READ, (notes, run, step, at))
    return True
