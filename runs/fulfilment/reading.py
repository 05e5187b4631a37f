"""What happened in a run, as its type of task looks at it: calls that were carried out, words, and the answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from agentops.ledger.store import Cursor, read_contents
from runs.fulfilment.evaluating import Happened, Made
from runs.lookups.resolving import read_resolved
from runs.models import Run, ToolCall
from runs.sources import SAID
from runs.words import read_ending
from tools.calls import ToolSpec
from tools.catalogue import read_spec

Json = Any  # a value of a call or of an answer
_WORDS = """
SELECT kind, content FROM ledger_entry WHERE stream = %s AND kind = ANY(%s) AND content IS NOT NULL ORDER BY seq
"""


def find_calls(run: Run, tools: Collection[str]) -> list[ToolCall]:
    """Return the calls of these tools that were carried out, in order."""
    done = ToolCall.objects.filter(run=run, state="succeeded", tool_name__in=tools)
    return list(done.order_by("step", "number"))


def read_specs(calls: Sequence[ToolCall]) -> dict[UUID, ToolSpec]:
    """Return the versions of tools that were called; it takes a connection of its own."""
    return {version: read_spec(version) for call in calls if (version := call.tool_version_id)}


def read_happened(
    cursor: Cursor, run: Run, calls: Sequence[ToolCall], specs: Mapping[UUID, ToolSpec]
) -> Happened:
    """Return what happened in a run whose words are there; raises ValueError for a record that cannot be read."""
    seqs = sorted({seq for call in calls for seq in (call.decided_seq, call.outcome_seq) if seq})
    contents = read_contents(cursor, run.pk, seqs)
    made = [_read_call(cursor, run, call, specs, contents) for call in calls]
    answer = read_ending(run).get("answer") or ""
    return Happened(str(run.state), str(answer), _read_words(cursor, run), run.principal.subject, made)


def _read_call(
    cursor: Cursor, run: Run, call: ToolCall, specs: Mapping[UUID, ToolSpec], contents: Mapping[int, Json]
) -> Made:
    decided, answered = call.decided_seq or 0, call.outcome_seq or 0
    calls = (contents.get(decided) or {}).get("calls", ())
    said = next((each.get("arguments") for each in calls if each["call"] == call.number), None)
    spec = specs.get(call.tool_version_id) if call.tool_version_id else None
    if spec is not None and spec.resolvers:  # what was said was not what went out
        said = read_resolved(cursor, run.pk, (decided, answered), call.number, said)
    return Made(call.tool_name, decided, answered, said, (contents.get(answered) or {}).get("value"))


def _read_words(cursor: Cursor, run: Run) -> list[str]:
    """Return what the user has said, from the request on."""
    cursor.execute(_WORDS, (run.pk, list(SAID)))
    return [str(json.loads(content).get(SAID[kind], "")) for kind, content in cursor.fetchall()]
