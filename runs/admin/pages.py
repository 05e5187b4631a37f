"""What the page of a run shows, and the part of it that is fetched again while the run is going."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.db import connection
from django.http import HttpRequest

from agentops.console.panels import panels_for
from agentops.engine.events import CALL_ASKED, ENDINGS
from agentops.errors import NotFound
from agentops.ledger.store import read_head
from approvals.models import ApprovalDecision, ApprovalRequest
from runs.admin.timeline import VERDICTS, lay_out
from runs.models import Handover, Run
from runs.trace import TraceItem, read_trace


def read_seen(run: Run) -> str:
    """Return what a page of the run as it is now has seen: the newest entry, and the state that followed from it."""
    with connection.cursor() as cursor:
        try:
            newest = read_head(cursor, run.pk).seq
        except NotFound:  # a run that was written past the ledger, as tests do
            newest = 0
    return f"{newest}-{run.state}"


def live_context(request: HttpRequest, run: Run) -> dict[str, Any]:
    """Return the context of everything on the page that changes while the run is going."""
    seen = read_seen(run)  # before the trace: rather once too often than an entry late
    trace = read_trace(run)
    return {
        "run": run,
        "max_ms": run.max_seconds * 1_000,
        "seen": seen,
        "totals": trace.totals,
        "timeline": lay_out(trace.items, read_deciders(trace.items)),
        "message": _words(trace.items[:1], "message"),
        "ending": _ending(run, trace.items),
        "awaited": _awaited(run, trace.items),
        "panels": panels_for(Run._meta.label_lower, request, run),
    }


def read_deciders(items: list[TraceItem]) -> dict[str, str]:
    """Return who decided about the approvals of a run, by the approval's id; no query where there is none."""
    approvals = {item.facts.get("approval") for item in items if item.kind in VERDICTS} - {None}
    if not approvals:
        return {}
    decided = ApprovalDecision.objects.filter(request__in=approvals).select_related("decided_by")
    return {str(decision.request_id): decision.decided_by.get_username() for decision in decided}


def _words(items: list[TraceItem], name: str) -> str:
    content = items[0].content if items else None
    return str(content.get(name, "")) if isinstance(content, dict) else ""


def _ending(run: Run, items: list[TraceItem]) -> dict[str, str]:
    if not run.has_ended:
        return {}
    # An outcome may have been settled behind the ending.
    content = next((item.content for item in reversed(items) if item.kind in ENDINGS), None)
    if not isinstance(content, dict):
        return {}
    return {name: str(content.get(name) or "") for name in ("answer", "summary")}


def _awaited(run: Run, items: list[TraceItem]) -> list[dict[str, Any]]:
    """Return what the run waits for people to do, each with what a person needs to do it."""
    actions = run.required_actions
    approvals = ApprovalRequest.objects.filter(pk__in=[a["id"] for a in actions if a["type"] == "approval"])
    requests = {str(asked.pk): asked for asked in approvals.select_related("tool")}
    handovers = {(h.step, h.call): h for h in Handover.objects.filter(run=run)} if actions else {}
    asked = {(item.step, item.call): item for item in items if item.kind == CALL_ASKED}
    names = {(item.step, item.call): item.title for item in items if item.call is not None}
    told = []
    for action in actions:
        place = (action["step"], action["call"])
        content = asked[place].content if place in asked else None
        told.append(
            {
                **action,
                "request": requests.get(str(action.get("id", ""))),
                "handover": handovers.get(place),
                "question": content.get("question", "") if isinstance(content, dict) else "",
                "title": names.get(place, ""),
            }
        )
    return told


def read_questions(handovers: list[Handover]) -> dict[UUID, str]:
    """Return the agents' words for handing over, in one query; what was erased is absent."""
    if not handovers:
        return {}
    by_place = {(h.run_id, h.step, h.call): h.pk for h in handovers}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stream, facts::text, content FROM ledger_entry"
            " WHERE stream = ANY(%s) AND kind = %s AND content IS NOT NULL",
            [list({h.run_id for h in handovers}), CALL_ASKED],
        )
        rows = [
            (stream, json.loads(facts), json.loads(content)) for stream, facts, content in cursor.fetchall()
        ]
    found = {
        (stream, facts["step"], facts["call"]): content.get("question", "") for stream, facts, content in rows
    }
    return {pk: found[place] for place, pk in by_place.items() if place in found}
