"""Words from the runs' ledger streams, a statement per kind of question, however many rows a page has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import connection

from agentops.ledger.store import read_contents_for_people
from runs.models import Handover, Run, Step, ToolCall
from runs.words import Place, read_asked

Contents = dict[int, Any]  # Any: the erasable JSON of entries, by seq


def read_steps(run: Run, steps: Iterable[Step]) -> dict[str, Any]:  # Any: a serializer's context
    """Return the calls of steps, and the contents of what was decided and what came of it."""
    decided = [step.decided_seq for step in steps]
    calls: dict[int, list[ToolCall]] = defaultdict(list)
    for call in ToolCall.objects.filter(run=run, step__in=[step.number for step in steps]).order_by("number"):
        calls[call.step].append(call)
    edited = [call.decided_seq for group in calls.values() for call in group]
    outcomes = [call.outcome_seq for group in calls.values() for call in group]
    with connection.cursor() as cursor:
        contents: Contents = read_contents_for_people(
            cursor, run.pk, list({seq for seq in (*decided, *edited, *outcomes) if seq})
        )
    return {"calls": calls, "contents": contents}


def read_reasons(handovers: Iterable[Handover]) -> dict[Place, str]:
    """Return the agents' words for handing over, by run, step and call; what was erased is absent."""
    return read_asked((each.run_id, each.step, each.call) for each in handovers)
