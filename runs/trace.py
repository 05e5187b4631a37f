"""What a run decided, what it executed, where it broke and what it cost: its ledger stream told for people.

The console, the API and the terminal show the same items. Everything comes from one query over the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from agentops.engine import events as e
from agentops.ledger.store import StoredEntry, read_entries_for_people
from runs.models import Run
from runs.trace_titles import Facts, Lane, lane_of, title_of

SPENDING = (e.STEP_DECIDED, e.MODEL_FAILED)


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


@dataclass(frozen=True, slots=True)
class RunTrace:
    items: list[TraceItem]
    totals: TraceTotals


def read_trace(run: Run, *, contents: bool = True) -> RunTrace:
    """Return the run's trace, oldest first; without `contents` nothing personal is loaded."""
    with connection.cursor() as cursor:
        entries = read_entries_for_people(cursor, run.pk, contents=contents)
    items = list(tell(entries))
    return RunTrace(items, add_up(items))


def _name_tools(facts: Facts, content: Any) -> Facts:  # Any: erasable JSON
    """Return a decision's facts with the names as the model wrote them, invented ones included, until erased."""
    written = (content.get("calls") or ()) if isinstance(content, dict) else ()
    names = {each.get("call"): each.get("tool") for each in written}
    calls = [{**each, "tool": names.get(each["call"]) or each["tool"]} for each in facts.get("calls", ())]
    return {**facts, "calls": calls}


def tell(entries: Iterable[StoredEntry]) -> Iterator[TraceItem]:
    """Yield an item per entry, in order; the entries start with the run's first."""
    tools: dict[tuple[int, int], str] = {}  # outcomes name a call by its numbers only
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


def add_up(items: Iterable[TraceItem]) -> TraceTotals:
    """Return the sums of items."""
    told = list(items)
    decided = [item for item in told if item.kind == e.STEP_DECIDED]
    return TraceTotals(
        steps=len(decided),
        calls=sum(len(item.facts.get("calls", ())) for item in decided),
        attempts=sum(item.kind == e.ATTEMPT_STARTED for item in told),
        broke=sum(item.lane == "broke" for item in told),
        tokens=sum(item.tokens for item in told),
        usd=sum((item.usd for item in told), Decimal(0)),
        model_ms=sum(item.latency_ms or 0 for item in told if item.kind in SPENDING),
        tool_ms=sum(item.latency_ms or 0 for item in told if item.kind not in SPENDING),
    )
