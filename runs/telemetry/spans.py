"""The one mapping of what the ledger says of a run to the spans of OpenTelemetry's conventions for generative AI.

Pure: entries in, spans out. A span's id follows from what it tells, so that telling it twice makes one span. Contents
are told only where the entries that are given have any, and whoever reads them decides about that.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (in development; the names are those of November 2026)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from agentops.engine import events as e
from agentops.ledger.store import StoredEntry
from agentops.tracing import derive_span_id
from runs.telemetry import attributes as a
from runs.telemetry.places import APPROVAL, CHAT, CONFIRMATION, EMBEDDING, SETTLED, SUMMARY, TOOL

OPENS = {
    e.MODEL_REQUESTED: CHAT,
    e.SUMMARY_REQUESTED: SUMMARY,
    e.EMBEDDING_REQUESTED: EMBEDDING,
    e.ATTEMPT_STARTED: TOOL,
    e.CALL_GATED: APPROVAL,
    e.CONFIRMATION_REQUESTED: CONFIRMATION,
}
CLOSES = {
    e.STEP_DECIDED: CHAT,
    e.MODEL_FAILED: CHAT,
    e.SUMMARY_WRITTEN: SUMMARY,
    e.SUMMARY_FAILED: SUMMARY,
    e.EMBEDDING_MADE: EMBEDDING,
    e.EMBEDDING_FAILED: EMBEDDING,
    e.ATTEMPT_FAILED: TOOL,
    e.CALL_SUCCEEDED: TOOL,
    e.CALL_FAILED: TOOL,
    e.CALL_UNKNOWN: TOOL,
    e.CALL_REFUSED: TOOL,
    e.APPROVAL_GRANTED: APPROVAL,
    e.APPROVAL_REFUSED: APPROVAL,
    e.CALL_EDITED: APPROVAL,
    e.CALL_ASKED_BACK: APPROVAL,
    e.CONFIRMATION_GIVEN: CONFIRMATION,
    e.CONFIRMATION_REFUSED: CONFIRMATION,
}
OF_MODEL = (CHAT, SUMMARY, EMBEDDING)
# What ends well; any other end is an error of its code. That a person says no is none of theirs.
ENDS_WELL = frozenset((
    e.STEP_DECIDED, e.SUMMARY_WRITTEN, e.EMBEDDING_MADE, e.CALL_SUCCEEDED, e.APPROVAL_GRANTED, e.APPROVAL_REFUSED,
    e.CALL_EDITED, e.CALL_ASKED_BACK, e.CONFIRMATION_GIVEN, e.CONFIRMATION_REFUSED, e.RUN_COMPLETED, e.RUN_CANCELLED,
))  # fmt: skip

Place = tuple[str, int, int]  # what, step, call; of a model call 0


@dataclass(frozen=True, slots=True)
class Span:
    """One span, ready for any exporter. ``error`` is its error.type, empty where it went well."""

    name: str
    kind: Literal["internal", "client"]
    span_id: str
    parent_id: str
    began_at: datetime
    ended_at: datetime
    attributes: dict[str, a.Value]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """The run that is told of, as its rows say: who acts, in whose trace, and what it has used by now."""

    run: UUID
    parent_span: str
    began_at: datetime
    agent: str
    attributes: Mapping[str, a.Value]
    provider: str
    used: Mapping[str, a.Value] = field(default_factory=dict)

    @property
    def span_id(self) -> str:
        return derive_span_id(self.run)


@dataclass(frozen=True, slots=True)
class Mapped:
    """Spans that have ended, and the entry where the earliest one begins that has not: 0 where there is none."""

    spans: list[Span]
    open_seq: int
    has_ended: bool


def map_entries(
    subject: Subject, entries: Iterable[StoredEntry], calls: Mapping[tuple[int, int], a.Called], *, after: int
) -> Mapped:
    """Return the spans that end behind ``after``, in the order in which they end.

    ``entries`` begin where the earliest span began that had not ended by then, or behind ``after``.
    """
    begun: dict[Place, StoredEntry] = {}
    spans: list[Span] = []
    has_ended = False
    for entry in entries:
        ended = [*_end(subject, entry, begun, calls)]
        spans += ended if entry.seq > after else []
        has_ended |= entry.kind in e.ENDINGS
        if kind := OPENS.get(entry.kind):
            begun[_place(kind, entry)] = entry
    return Mapped(spans, min((entry.seq for entry in begun.values()), default=0), has_ended)


def _place(kind: str, entry: StoredEntry) -> Place:
    if kind == EMBEDDING:  # one at a time, and whoever settles a lost one does not know what it was for
        return (kind, 0, 0)
    return (kind, entry.facts.get("step") or 0, entry.facts.get("call") or 0)


def _end(
    subject: Subject,
    entry: StoredEntry,
    begun: dict[Place, StoredEntry],
    calls: Mapping[tuple[int, int], a.Called],
) -> Iterator[Span]:
    """Yield what this entry brings to its end; the end of the run takes all with it."""
    if entry.kind in e.ENDINGS:
        for place in [*begun]:
            yield _tell(subject, begun.pop(place), entry, calls)
        yield _tell_run(subject, entry)
    elif kind := CLOSES.get(entry.kind):
        start = begun.pop(_place(kind, entry), None)
        if start is not None or kind == TOOL:  # such as a call that was refused: it had no attempt
            yield _tell(subject, start or entry, entry, calls)


def _tell(
    subject: Subject, start: StoredEntry, end: StoredEntry, calls: Mapping[tuple[int, int], a.Called]
) -> Span:
    kind, step, number = _place(OPENS.get(start.kind, TOOL), start)
    called = calls.get((step, number), a.UNKNOWN_CALL)
    told = {**a.of_run(subject.run), **a.of_entries(start, end)}
    if kind in OF_MODEL:
        operation = "embeddings" if kind == EMBEDDING else "chat"
        name = f"{operation} {start.facts.get('model', '')}"
        told |= {**a.of_chat(start, end, subject.provider), "gen_ai.operation.name": operation}
    elif kind == TOOL:
        name = f"execute_tool {called.tool}"
        told |= a.of_tool(start, end, called)
    else:
        name = f"await_{kind} {called.tool}"
        told |= a.of_wait(start, end, called)
    span_id = derive_span_id(subject.run, *_name(kind, start))
    client: Literal["internal", "client"] = "client" if kind in OF_MODEL else "internal"
    return _finish(name, client, span_id, subject.span_id, (start.at, end), told)


def _name(kind: str, start: StoredEntry) -> tuple[object, ...]:
    """Return the parts of a span's id, the same as went out with the call itself."""
    facts = start.facts
    if start.kind not in OPENS:
        return (SETTLED, start.seq)
    if kind == SUMMARY:
        return (SUMMARY, facts.get("through"))
    if kind == EMBEDDING:
        return (EMBEDDING, start.seq)
    if kind == CHAT:
        return (CHAT, facts.get("step"), facts.get("attempt"))
    if kind == TOOL:
        return (TOOL, facts.get("key"), facts.get("attempt"))
    return (kind, facts.get("step"), facts.get("call"), start.seq)


def _tell_run(subject: Subject, end: StoredEntry) -> Span:
    told = {
        **a.of_run(subject.run), **subject.attributes, **subject.used, **a.of_ending(end),
        "gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": subject.provider,
    }  # fmt: skip
    times = (subject.began_at, end)
    return _finish(
        f"invoke_agent {subject.agent}", "internal", subject.span_id, subject.parent_span, times, told
    )


def _finish(
    name: str,
    kind: Literal["internal", "client"],
    span_id: str,
    parent_id: str,
    times: tuple[datetime, StoredEntry],
    told: dict[str, a.Value],
) -> Span:
    began_at, end = times
    error = "" if end.kind in ENDS_WELL else str(end.facts.get("code") or end.facts.get("reason") or end.kind)
    if error:
        told["error.type"] = error
    # A clock that was set back between two entries makes no span that ends before it begins.
    return Span(name, kind, span_id, parent_id, began_at, max(began_at, end.at), told, error)
