"""``bench decisions``: how long a run that waited for a person takes from the decision to the effect."""

from __future__ import annotations

import statistics
import time
from typing import Any
from uuid import UUID

from django.db import connection

from approvals.models import ApprovalRequest
from approvals.services import decide
from identities.models import AgentIdentity, Application, User
from runs.bench.steps import Load, await_ended, create_runs, send, workers_for
from runs.models import Run

# People decide one after another; nobody clicks faster than this.
PAUSE_S = 0.05

_TIMES = """
SELECT extract(epoch FROM c.ended_at - a.decided_at) * 1000
FROM runs_tool_call c JOIN approvals_approvalrequest a ON a.id = c.approval_id WHERE c.run_id = ANY(%s)
"""


def measure_decisions(
    application: Application, agent: AgentIdentity, officer: User, runs: int
) -> dict[str, Any]:
    """Approve the calls of waiting runs one by one; return the times to their recorded outcomes, in ms."""
    waiting = create_runs(application, agent, runs)
    with workers_for(Load(32, 0, 1, runs)):
        send(waiting)
        await_asked(waiting)
        for request in ApprovalRequest.objects.filter(state="waiting"):
            _approve(officer, request)
            time.sleep(PAUSE_S)
        await_ended(waiting)
    times = _read_times(waiting)
    if len(times) != runs:
        raise RuntimeError(f"{len(times)} of {runs} calls were made: the figures would be wrong")
    return {
        "decisions": runs,
        "decision_to_outcome_ms": {
            "p50": round(statistics.median(times), 1),
            "p95": round(statistics.quantiles(times, n=20)[-1], 1),
            "max": round(max(times), 1),
        },
    }


def await_asked(runs: list[UUID]) -> None:
    """Wait until each of these waits for a person."""
    while Run.objects.filter(pk__in=runs).exclude(state="requires_action").exists():
        time.sleep(0.05)
    time.sleep(1.0)  # until the last one has been given back


def _approve(officer: User, request: ApprovalRequest) -> None:
    decide(
        actor=officer, request=request, verdict="approve", reason="", digest=request.digest, channel="api",
        second_factor=True,
    )  # fmt: skip


def _read_times(runs: list[UUID]) -> list[float]:
    with connection.cursor() as cursor:
        cursor.execute(_TIMES, (runs,))
        return [float(row[0]) for row in cursor.fetchall() if row[0] is not None]
