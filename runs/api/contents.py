"""Words from the runs' ledger streams, a statement per kind of question, however many rows a page has."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import connection

from agentops.engine.events import CALL_ASKED, ENDINGS
from agentops.ledger.store import read_contents
from runs.models import Handover, Run, Step, ToolCall

Contents = dict[int, Any]  # Any: the erasable JSON of entries, by seq

# The ending is the last or nearly the last entry: the primary key is read backwards.
_ENDING = "SELECT content FROM ledger_entry WHERE stream = %s AND kind = ANY(%s) ORDER BY seq DESC LIMIT 1"
_ASKED = (
    "SELECT stream, facts::text, content FROM ledger_entry"
    " WHERE stream = ANY(%s) AND kind = %s AND content IS NOT NULL"
)


def read_ending(run: Run) -> dict[str, Any]:  # Any: erasable JSON
    """Return what the run ended with (`answer` or `summary`); empty before, and after it was erased."""
    if not run.has_ended:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_ENDING, [run.pk, list(ENDINGS)])
        row = cursor.fetchone()
    return json.loads(row[0]) if row and row[0] else {}


def read_steps(run: Run, steps: Iterable[Step]) -> dict[str, Any]:  # Any: a serializer's context
    """Return the calls of steps, and the contents of what was decided and what came of it."""
    decided = [step.decided_seq for step in steps]
    calls: dict[int, list[ToolCall]] = defaultdict(list)
    for call in ToolCall.objects.filter(run=run, step__in=[step.number for step in steps]).order_by("number"):
        calls[call.step].append(call)
    outcomes = [call.outcome_seq for group in calls.values() for call in group]
    with connection.cursor() as cursor:
        contents: Contents = read_contents(cursor, run.pk, [seq for seq in decided + outcomes if seq])
    return {"calls": calls, "contents": contents}


def read_reasons(handovers: Iterable[Handover]) -> dict[tuple[UUID, int, int], str]:
    """Return the agents' words for handing over, by run, step and call; what was erased is absent."""
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [[each.run_id for each in handovers], CALL_ASKED])
        rows = [(run, json.loads(facts), json.loads(content)) for run, facts, content in cursor.fetchall()]
    return {(run, facts["step"], facts["call"]): content.get("question", "") for run, facts, content in rows}
