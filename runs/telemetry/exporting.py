"""Telling the collector of spans what runs have done since, run by run, for as long as a pass may take."""

from __future__ import annotations

import logging
import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from agentops.ledger.store import StoredEntry, read_contents_for_people, read_entries_for_people
from runs.models import Run, ToolCall
from runs.telemetry import otlp, outbox
from runs.telemetry.attributes import Called, Value
from runs.telemetry.spans import Mapped, Subject, map_entries

logger = logging.getLogger(__name__)

PASS_S = 10.0  # a slow collector keeps a worker so long; the next pass goes on
MOST_ENTRIES = 2_000  # of a run at a time, and what its open spans began with
PROVIDERS = {"openai": "openai", "null": "agentops", "external": "agentops"}


def export_due() -> int:
    """Send what is due; return of how many runs the collector has taken something.

    It stops at the first one that is not taken: the collector is probably gone, and each try would take its time.
    """
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return 0
    claimed, taken, ends = outbox.claim_due(), 0, time.monotonic() + PASS_S
    for number, due in enumerate(claimed):
        if time.monotonic() > ends or not _export_one(due):
            for other in claimed[number + 1 :] if time.monotonic() <= ends else claimed[number:]:
                outbox.release(other)
            break
        taken += 1
    return taken


def _export_one(due: outbox.Due) -> bool:
    """Send what one run has done; return whether it was taken."""
    try:
        _send(due)
    except Exception as error:  # a boundary: a run that cannot be told of must not keep others from it
        logger.warning("spans of run %s were not taken, again later: %s", due.run, type(error).__name__)
        outbox.put_off(due)
        return False
    return True


def _send(due: outbox.Due) -> None:
    run = Run.objects.select_related("identity", "agent_version").get(pk=due.run)
    entries = _read(due)
    calls = _read_calls(run, entries)
    mapped = map_entries(_subject(run, due), entries, calls, after=due.seq)
    if mapped.spans:
        otlp.export(mapped.spans, trace_id=run.trace_id, flags=run.trace_flags, state=run.trace_state)
    _note(due, entries, mapped)


def _note(due: outbox.Due, entries: list[StoredEntry], mapped: Mapped) -> None:
    last = entries[-1].seq if entries else due.seq
    outbox.move(due, to=max(last, due.seq), open_seq=mapped.open_seq, has_ended=mapped.has_ended)


def _read(due: outbox.Due) -> list[StoredEntry]:
    limit = due.seq - due.read_after + MOST_ENTRIES
    with connection.cursor() as cursor:
        return read_entries_for_people(
            cursor, due.run, after=due.read_after, limit=limit, contents=settings.OTEL_CAPTURE_CONTENT
        )


def _subject(run: Run, due: outbox.Due) -> Subject:
    version = run.agent_version
    told: dict[str, Value] = {
        "gen_ai.agent.id": str(run.identity_id),
        "gen_ai.agent.name": run.identity.name,
        "gen_ai.agent.version": str(version.number),
        "gen_ai.request.model": version.model,
        "agentops.agent_version.id": str(version.pk),
        "agentops.team.id": str(run.team_id),
        "agentops.principal.id": str(run.principal_id),
        "agentops.run.kind": run.kind,
        "agentops.run.mode": run.mode,
    }
    used: dict[str, Value] = {
        "agentops.steps": run.steps, "agentops.tool_calls": run.tool_calls, "agentops.tokens": run.tokens,
        "agentops.cost.usd": float(run.usd), "agentops.worked_ms": run.worked_ms,
    }  # fmt: skip
    provider = PROVIDERS.get(version.planner, version.planner)
    return Subject(run.pk, due.parent_span, run.created_at, run.identity.name, told, provider, used)


def _read_calls(run: Run, entries: list[StoredEntry]) -> dict[tuple[int, int], Called]:
    """Return the calls that these entries are about, as their rows say; with arguments where contents are told."""
    steps = {entry.facts["step"] for entry in entries if entry.facts.get("call")}
    rows = list(ToolCall.objects.filter(run=run, step__in=steps)) if steps else []
    written = _read_arguments(run.pk, rows) if settings.OTEL_CAPTURE_CONTENT else {}
    return {(row.step, row.number): _called(row, written) for row in rows}


def _called(row: ToolCall, written: dict[tuple[int, int], Any]) -> Called:  # Any: JSON
    # A reason's detail may quote what was asked; its source and code never do.
    reasons = tuple(
        f"{each['source']}:{each['code']}" for each in row.reasons if {"source", "code"} <= each.keys()
    )
    return Called(
        row.tool_name, str(row.tool_version_id or ""), row.effect, row.decision, reasons,
        str(row.approval_id or ""), row.args_digest, written.get((row.step, row.number)),
    )  # fmt: skip


def _read_arguments(run: UUID, rows: list[ToolCall]) -> dict[tuple[int, int], Any]:  # Any: JSON
    seqs = sorted({row.decided_seq for row in rows if row.decided_seq})
    with connection.cursor() as cursor:
        contents = read_contents_for_people(cursor, run, seqs)
    return {
        (row.step, row.number): call.get("arguments")
        for row in rows
        for call in contents.get(row.decided_seq or 0, {}).get("calls") or []
        if call.get("call") == row.number
    }
