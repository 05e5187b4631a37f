"""What a run decided, what it executed, where it broke and what it cost: its ledger stream told for people.

The console, the API and the terminal show the same items. What is read at once is a page: a run may be
long, and its sums are the database's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from django.db import connection

from agentops.engine import events as e
from agentops.ledger.store import (
    StoredEntry,
    read_contents_for_people,
    read_entries_for_people,
    read_last_entries_for_people,
)
from runs.models import Run, ToolCall
from runs.trace_titles import LANES, Facts, Lane, lane_of, title_of

SPENDING = (
    e.STEP_DECIDED,
    e.MODEL_FAILED,
    e.SUMMARY_WRITTEN,
    e.SUMMARY_FAILED,
    e.EMBEDDING_MADE,
    e.EMBEDDING_FAILED,
)

Tools = Mapping[tuple[int, int], str]  # by step and call


@dataclass(frozen=True, slots=True)
class TraceItem:
    """One entry for people.

    `code` is the machine's word for what went wrong, or empty. `usd` and `tokens` are what this entry cost,
    `latency_ms` how long it took. `content` is None when there was none, when erased, or not asked for.
    """

    lane: Lane
    seq: int
    at: datetime
    kind: str
    step: int | None
    call: int | None
    title: str
    code: str
    facts: Facts
    content: Any
    tokens: int
    usd: Decimal
    latency_ms: int | None


@dataclass(frozen=True, slots=True)
class TraceTotals:
    """The sums of a trace; times in milliseconds."""

    steps: int
    calls: int
    attempts: int
    broke: int
    tokens: int
    usd: Decimal
    model_ms: int
    tool_ms: int


# Facts that somebody wrote by hand add nothing, rather than keep the page from people.
def _number(name: str) -> str:
    digits = r"^[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?$"
    return f"CASE WHEN facts ->> '{name}' ~ '{digits}' THEN (facts ->> '{name}')::numeric END"


_CALLS = "CASE WHEN jsonb_typeof(facts -> 'calls') = 'array' THEN jsonb_array_length(facts -> 'calls') END"
_TOTALS = f"""
SELECT count(*) FILTER (WHERE kind = %(decided)s),
    coalesce(sum({_CALLS}) FILTER (WHERE kind = %(decided)s), 0),
    count(*) FILTER (WHERE kind = %(attempt)s),
    count(*) FILTER (WHERE kind = ANY(%(broke)s)),
    coalesce(sum({_number("tokens")}) FILTER (WHERE kind = ANY(%(spending)s)), 0),
    coalesce(sum({_number("usd")}) FILTER (WHERE kind = ANY(%(spending)s)), 0),
    coalesce(sum({_number("latency_ms")}) FILTER (WHERE kind = ANY(%(spending)s)), 0),
    coalesce(sum({_number("latency_ms")}) FILTER (WHERE kind <> ALL(%(spending)s)), 0)
FROM ledger_entry WHERE stream = %(stream)s AND seq < coalesce(%(before)s, 2147483647)
"""  # noqa: S608  constants
_COSTS = f"""
SELECT max(at), max(spent) FROM (
    SELECT at, sum(usd) OVER turns AS spent, ntile(%(points)s) OVER turns AS slot FROM (
        SELECT seq, at, {_number("usd")} AS usd FROM ledger_entry
        WHERE stream = %(stream)s AND kind = ANY(%(spending)s)
    ) AS spending WHERE usd > 0 WINDOW turns AS (ORDER BY seq)
) AS slots GROUP BY slot ORDER BY slot
"""  # noqa: S608  constants


def read_trace(
    run: Run, *, after: int = 0, limit: int | None = None, contents: bool = True
) -> list[TraceItem]:
    """Return items behind a seq, oldest first; without `contents` nothing personal is loaded."""
    with connection.cursor() as cursor:
        entries = read_entries_for_people(cursor, run.pk, after=after, limit=limit, contents=contents)
    return list(tell(entries, _read_tools(run, entries, contents)))


def read_last_items(
    run: Run, *, before: int | None = None, limit: int, contents: bool = True
) -> list[TraceItem]:
    """Return the run's last items, or the last before a seq, oldest first."""
    with connection.cursor() as cursor:
        entries = read_last_entries_for_people(cursor, run.pk, before=before, limit=limit, contents=contents)
    return list(tell(entries, _read_tools(run, entries, contents)))


def read_totals(run: Run, *, before: int | None = None) -> TraceTotals:
    """Return the sums of the whole run, or of what came before a seq; the entries stay in the database."""
    broke = [kind for kind, lane in LANES.items() if lane == "broke"]
    asked = {
        "stream": run.pk,
        "before": before,
        "decided": e.STEP_DECIDED,
        "attempt": e.ATTEMPT_STARTED,
        "broke": broke,
        "spending": list(SPENDING),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, asked)
        steps, calls, attempts, broken, tokens, usd, model_ms, tool_ms = cursor.fetchone()
    return TraceTotals(steps, int(calls), attempts, broken, int(tokens), usd, int(model_ms), int(tool_ms))


def read_costs(run: Run, points: int) -> list[tuple[datetime, Decimal]]:
    """Return what had been spent when, from 0 at the start, in at most so many points more."""
    with connection.cursor() as cursor:
        cursor.execute(_COSTS, {"stream": run.pk, "points": points, "spending": list(SPENDING)})
        return [(run.created_at, Decimal(0)), *cursor.fetchall()]


def _read_tools(run: Run, entries: Sequence[StoredEntry], contents: bool) -> Tools:
    """Return the tools of calls that were proposed before the first of these entries."""
    decided = {entry.facts.get("step") for entry in entries if entry.kind == e.STEP_DECIDED}
    named = {entry.facts.get("step") for entry in entries if entry.facts.get("call")}
    steps = [step for step in named - decided if isinstance(step, int)]
    calls = list(ToolCall.objects.filter(run=run, step__in=steps)) if steps else []
    written = _read_names(
        run, {call.decided_seq for call in calls if call.decided_seq} if contents else set()
    )
    return {
        (call.step, call.number): written.get((call.decided_seq, call.number), call.tool_name)
        for call in calls
    }


def _read_names(run: Run, seqs: Collection[int]) -> dict[tuple[int | None, int], str]:
    """Return the names that the model wrote in these decisions, by seq and call."""
    if not seqs:
        return {}
    with connection.cursor() as cursor:
        contents = read_contents_for_people(cursor, run.pk, list(seqs))
    return {(seq, call): name for seq in contents for call, name in _names_in(contents[seq]).items()}


def _names_in(content: Any) -> dict[int, str]:  # Any: erasable JSON
    written = (content.get("calls") or ()) if isinstance(content, dict) else ()
    return {each["call"]: each["tool"] for each in written if each.get("tool")}


def _name_tools(facts: Facts, content: Any) -> Facts:  # Any: erasable JSON
    """Return a decision's facts with the names as the model wrote them, invented ones included, until erased."""
    names = _names_in(content)
    calls = [{**each, "tool": names.get(each["call"], each["tool"])} for each in facts.get("calls", ())]
    return {**facts, "calls": calls}


def tell(entries: Iterable[StoredEntry], known: Tools = MappingProxyType({})) -> Iterator[TraceItem]:
    """Yield an item per entry, in order; `known` names the tools of calls that were proposed before."""
    tools = dict(known)  # outcomes name a call by its numbers only
    for entry in entries:
        facts = entry.facts
        step, call = facts.get("step"), facts.get("call")
        if entry.kind == e.STEP_DECIDED:
            facts = _name_tools(facts, entry.content)
            tools |= {(facts["step"], each["call"]): each["tool"] for each in facts.get("calls", ())}
        tool = (tools.get((step, call)) if step and call else "") or facts.get("tool") or ""
        yield TraceItem(
            lane=lane_of(entry.kind),
            seq=entry.seq,
            at=entry.at,
            kind=entry.kind,
            step=step,
            call=call,
            title=title_of(entry.kind, facts, tool),
            code=str(facts.get("code") or facts.get("reason") or facts.get("limit") or ""),
            facts=entry.facts,
            content=entry.content,
            tokens=int(facts.get("tokens", 0)) if entry.kind in SPENDING else 0,
            usd=Decimal(facts.get("usd", 0)) if entry.kind in SPENDING else Decimal(0),
            latency_ms=facts.get("latency_ms"),
        )
