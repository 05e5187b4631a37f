"""``bench pages``: statements and time on the server of each page that people look at, in large tables."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops.console.second_factor import SESSION_KEY
from approvals.models import ApprovalRequest
from identities.models import AgentIdentity, Application, User
from runs.bench.decisions import await_asked
from runs.bench.seed import seed_steps, seed_waiting
from runs.bench.steps import Load, create_runs, send, workers_for
from runs.models import Run
from tools.models import Tool

WARM_UP = 1
BACKEND = "django.contrib.auth.backends.ModelBackend"


def measure_pages(
    application: Application, agent: AgentIdentity, officer: User, rows: int, waiting: int, rounds: int
) -> Iterator[dict[str, Any]]:
    """Fill the tables with so many steps and waiting requests, then yield the figures of each page, the worst last."""
    asked = create_runs(application, agent, 1)
    with workers_for(Load(1, 0, 1, 1)):
        send(asked)
        await_asked(asked)
    request, run = ApprovalRequest.objects.get(), Run.objects.get(pk=asked[0])
    seed_steps(rows, agent, run)
    seed_waiting(waiting, request)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    client = _sign_in(officer)
    figures = [
        {"page": name, **_measure(client, address, rounds)}
        for name, address in _list_pages(request, run, agent).items()
    ]
    yield from sorted(figures, key=lambda each: float(each["p95_ms"]))


def _list_pages(request: ApprovalRequest, run: Run, agent: AgentIdentity) -> Mapping[str, str]:
    inbox = reverse("admin:approvals_approvalrequest_changelist")
    return {
        "dashboard": reverse("admin:index"),
        "inbox": inbox,
        "inbox, narrowed": f"{inbox}?effect=reversible&age=5m",
        "request": reverse("admin:approvals_approvalrequest_change", args=[request.pk]),
        "review together": reverse("admin:approvals_approvalrequest_together"),
        "oversight": reverse("admin:approvals_oversightrule_report"),
        "second looks": reverse("admin:approvals_secondlook_changelist"),
        "runs": reverse("admin:runs_run_changelist"),
        "run": reverse("admin:runs_run_change", args=[run.pk]),
        "agents": reverse("admin:identities_agentidentity_changelist"),
        "agent": reverse("admin:identities_agentidentity_change", args=[agent.pk]),
        "tools": reverse("admin:tools_tool_changelist"),
        "tool": reverse("admin:tools_tool_change", args=[Tool.objects.get(team=agent.team).pk]),
        "tables": reverse("admin:tools_decisiontable_changelist"),
        "ledger": reverse("admin:ledger_stream_changelist"),
        "stream": reverse("admin:ledger_stream_change", args=[run.pk]),
    }


def _measure(client: Client, address: str, rounds: int) -> dict[str, Any]:
    """Ask for a page again and again; statements are those of the last time."""
    times: list[float] = []
    statements = 0
    for _ in range(WARM_UP + rounds):
        with CaptureQueriesContext(connection) as found:
            begun = time.perf_counter()
            status = client.get(address).status_code
            times.append((time.perf_counter() - begun) * 1_000)
        statements = len(found)
        if status != 200:
            raise RuntimeError(f"{address} answered {status}: the figures would be wrong")
    kept = times[WARM_UP:]
    return {
        "statements": statements,
        "p50_ms": round(statistics.median(kept), 1),
        "p95_ms": round(statistics.quantiles(kept, n=20)[-1], 1),
    }


def _sign_in(officer: User) -> Client:
    device = TOTPDevice.objects.create(user=officer, confirmed=True, name="bench")
    client = Client()
    client.force_login(officer, backend=BACKEND)
    session = client.session
    session[DEVICE_ID_SESSION_KEY], session[SESSION_KEY] = device.persistent_id, time.time()
    session.save()
    return client
