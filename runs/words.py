"""Words from the runs' ledger streams for people: a statement per kind of question, however many are asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from agentops.engine.events import CALL_ASKED, ENDINGS, LIMIT_REACHED
from agentops.ledger.decoding import decode_members
from runs.models import Extension, Run

Place = tuple[UUID, int, int]  # run, step, call

# The ending is the last or nearly the last entry: the primary key is read backwards.
_ENDING = (
    "SELECT seq, content FROM ledger_entry WHERE stream = %s AND kind = ANY(%s) ORDER BY seq DESC LIMIT 1"
)
_FIRST = "SELECT seq, content FROM ledger_entry WHERE stream = %s AND seq = 1"
_ASKED = """
SELECT a.stream, a.step, a.call, entry.content, entry.seq
FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS a(stream, step, call)
JOIN ledger_entry AS entry ON entry.stream = a.stream AND entry.kind = %s
    AND entry.facts ->> 'step' = a.step::text AND entry.facts ->> 'call' = a.call::text
WHERE entry.content IS NOT NULL AND entry.stream = ANY(%s)
ORDER BY entry.seq
"""


def read_ending(run: Run) -> dict[str, Any]:  # Any: erasable JSON
    """Return what the run ended with (`answer` or `summary`); empty before, and after it was erased."""
    return _read_one(_ENDING, [run.pk, list(ENDINGS)]) if run.has_ended else {}


def read_first(run: Run) -> dict[str, Any]:  # Any: erasable JSON
    """Return what the run started with (`message`); empty once it was erased."""
    return _read_one(_FIRST, [run.pk])


def read_asked(places: Iterable[Place]) -> dict[Place, str]:
    """Return the agents' words for asking or handing over; what was erased is absent."""
    asked = list(places)
    streams, steps, calls = ([place[n] for place in asked] for n in range(3))
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [streams, steps, calls, CALL_ASKED, list(set(streams))])
        rows = [((run, step, call), decode_members(*words)) for run, step, call, *words in cursor.fetchall()]
    return {place: str(words.get("question") or words.get("unreadable", "")) for place, words in rows}


def _read_one(statement: str, parameters: list[Any]) -> dict[str, Any]:  # Any: what Django's cursor takes
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return decode_members(row[1], row[0]) if row else {}


# Few of a run's entries ask, so the kind narrows first.
_PROGRESS = """
SELECT facts ->> 'extension', content, seq FROM ledger_entry
WHERE stream = ANY(%s) AND kind = %s AND facts ->> 'extension' = ANY(%s) AND content IS NOT NULL
"""


def read_progress(asked: Iterable[Extension]) -> dict[UUID, dict[str, Any]]:  # Any: erasable JSON
    """Return what runs had done when they asked to go on, by the question; what was erased is absent."""
    rows = list(asked)
    streams, ids = list({each.run_id for each in rows}), [str(each.pk) for each in rows]
    with connection.cursor() as cursor:
        cursor.execute(_PROGRESS, [streams, LIMIT_REACHED, ids])
        return {UUID(pk): decode_members(content, seq) for pk, content, seq in cursor.fetchall()}
