"""Histories of runs as files: what the engine needs of a stream, and what it decides, without a word of contents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine.events import Event
from agentops.engine.probes import Probe, probe_history
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
    """Return a run's events as a JSON document, under the engine that the run pins, each with what comes next."""
    lines = [
        json.dumps(_line(event, probes), sort_keys=True)
        for event, probes in zip(events, probe_history(events), strict=True)
    ]
    engine = events[0].facts.get("engine", 1)
    return f'{{"engine": {engine}, "events": [\n' + ",\n".join(lines) + "\n]}\n"


def _line(event: Event, probes: Sequence[Probe]) -> dict[str, Any]:  # Any: JSON
    asked = [[probe.at.isoformat(), probe.idle_ms, probe.command] for probe in probes]
    at = event.at.isoformat()
    return {"seq": event.seq, "kind": event.kind, "at": at, "facts": event.facts, "next": asked}


def load_history(text: str) -> list[Event]:
    """Return the events of a document that ``dump_history`` wrote."""
    return [
        Event(each["seq"], each["kind"], each["facts"], datetime.fromisoformat(each["at"]))
        for each in json.loads(text)["events"]
    ]


def load_probes(text: str) -> list[list[Probe]]:
    """Return what the engine decided after each of these events when the document was written."""
    return [
        [Probe(datetime.fromisoformat(at), idle_ms, command) for at, idle_ms, command in each["next"]]
        for each in json.loads(text)["events"]
    ]
