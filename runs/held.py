"""What is about to go out unless somebody vetoes it: each call in plain words, the first to go first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from agentops.engine.events import CALL_ALLOWED, CALL_GATED, CALL_HELD, CONFIRMATION_REQUESTED
from agentops.ledger.decoding import decode_members
from identities.models import User
from runs.evidence import describe_call
from runs.models import Run, ToolCall
from runs.querysets import LONGEST_HELD
from tools.previews.wording import ToldPreview, tell

SHOWN = 100
# What people are shown of a call stands with the entry that held it, or that asked about it, last.
_SHOWN = """
SELECT a.stream, a.step, a.call, shown.content, shown.seq
FROM unnest(%s::uuid[], %s::int[], %s::int[]) AS a(stream, step, call)
CROSS JOIN LATERAL (
    SELECT e.content, e.seq FROM ledger_entry e WHERE e.stream = a.stream AND e.kind = ANY(%s)
        AND e.facts ->> 'step' = a.step::text AND e.facts ->> 'call' = a.call::text AND e.facts ? 'state'
    ORDER BY e.seq DESC LIMIT 1) AS shown
WHERE shown.content IS NOT NULL
"""
_DECIDED = """
SELECT asked.stream, asked.seq, entry.content FROM unnest(%s::uuid[], %s::int[]) AS asked(stream, seq)
JOIN ledger_entry AS entry ON entry.stream = asked.stream AND entry.seq = asked.seq
WHERE entry.content IS NOT NULL AND entry.stream = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class HeldCall:
    """A call that waits to go out; ``statement`` is empty once its words were erased, and so is what it changes."""

    call: ToolCall
    statement: str
    told: ToldPreview | None = None

    @property
    def until(self) -> datetime | None:
        """Return when it goes out."""
        return self.call.held_until


def find_held(viewer: User) -> QuerySet[ToolCall]:
    """Return the calls that are held in the runs that somebody may see, up to ``SHOWN``."""
    held: QuerySet[ToolCall] = _held(viewer)[:SHOWN]
    return held


def read_held(viewer: User, run: Run | None = None) -> list[HeldCall]:
    """Return the held calls of the runs that somebody may see, or of one of them: at most ``SHOWN``."""
    related = "run__identity", "run__principal", "tool_version"
    calls = _held(viewer).select_related(*related).order_by("held_until")
    found = list(calls[:SHOWN] if run is None else calls.filter(run=run)[:SHOWN])
    decided, shown = _read_decided(found), _read_shown(found)
    return [
        HeldCall(call, _describe(call, decided), tell(shown.get((call.run_id, call.step, call.number))))
        for call in found
    ]


def _held(viewer: User) -> Any:  # Any: a query set of calls
    since = timezone.now() - LONGEST_HELD
    return ToolCall.objects.filter(state="held", held_until__gt=since, run__in=Run.objects.visible_to(viewer))


def _read_decided(calls: list[ToolCall]) -> dict[tuple[Any, int | None], dict[str, Any]]:  # Any: an id, JSON
    if not calls:
        return {}
    streams, seqs = [call.run_id for call in calls], [call.decided_seq for call in calls]
    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [streams, seqs, list(set(streams))])
        return {(stream, seq): decode_members(content, seq) for stream, seq, content in cursor.fetchall()}


def _read_shown(calls: list[ToolCall]) -> dict[tuple[Any, int, int], dict[str, Any]]:  # Any: as above
    shown = [call for call in calls if call.tool_version and call.tool_version.preview]
    if not shown:
        return {}
    where: list[list[Any]] = [
        [call.run_id for call in shown],
        [call.step for call in shown],
        [call.number for call in shown],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_SHOWN, [*where, [CALL_ALLOWED, CALL_GATED, CALL_HELD, CONFIRMATION_REQUESTED]])
        return {
            (run, step, call): decode_members(content, seq).get("preview") or {}
            for run, step, call, content, seq in cursor.fetchall()
        }


def _describe(call: ToolCall, decided: dict[tuple[Any, int | None], dict[str, Any]]) -> str:  # Any: as above
    proposed = decided.get((call.run_id, call.decided_seq), {}).get("calls") or ()
    arguments = next((each.get("arguments") for each in proposed if each.get("call") == call.number), None)
    if not isinstance(arguments, dict):
        return ""
    template = call.tool_version.statement if call.tool_version else ""
    return describe_call(template, call.tool_name, arguments)
