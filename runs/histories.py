"""Histories of runs as files: what the engine needs of a stream, without a word of its contents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from agentops.database import borrowed
from agentops.engine.events import Event
from agentops.errors import NotFound
from agentops.ledger.store import read_entries


def read_history(run_id: UUID) -> list[Event]:
    """Return the events of a run; raises NotFound."""
    with borrowed() as connection, connection.cursor() as cursor:
        entries = read_entries(cursor, run_id)
    if not entries:
        raise NotFound("unknown_run", f"there is no run {run_id}")
    return [Event(entry.seq, entry.kind, entry.facts, entry.at) for entry in entries]


def dump_history(events: Sequence[Event]) -> str:
    """Return a run's events as a JSON document, one event per line, under the engine that the run pins."""
    lines = [
        json.dumps({"seq": e.seq, "kind": e.kind, "at": e.at.isoformat(), "facts": e.facts}, sort_keys=True)
        for e in events
    ]
    engine = events[0].facts.get("engine", 1)
    return f'{{"engine": {engine}, "events": [\n' + ",\n".join(lines) + "\n]}\n"


def load_history(text: str) -> list[Event]:
    """Return the events of a document that ``dump_history`` wrote."""
    document = json.loads(text)
    return [
        Event(each["seq"], each["kind"], each["facts"], datetime.fromisoformat(each["at"]))
        for each in document["events"]
    ]
