"""``bench pages``: statements and time on the server of each page that people look at, in large tables."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection, reset_queries
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops.console.second_factor import SESSION_KEY
from approvals.models import ApprovalRequest
from identities.models import AgentIdentity, Application, User
from runs.bench.addresses import list_pages
from runs.bench.company import appoint_readers
from runs.bench.decisions import await_asked
from runs.bench.meter import cpu_ms
from runs.bench.seed import seed_steps, seed_waiting
from runs.bench.steps import Load, create_runs, send, workers_for
from runs.models import Run

WARM_UP = 1
ELSEWHERE = (302, 403)  # where the console sends somebody who may not see a page
BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True, slots=True)
class Size:
    """How full the tables are, and how often each page is asked for."""

    rows: int
    waiting: int
    rounds: int


def measure_pages(application: Application, agent: AgentIdentity, size: Size) -> Iterator[dict[str, Any]]:
    """Fill the tables with so many steps and waiting requests, then yield each page's figures, the worst last."""
    people = appoint_readers(agent)
    asked = create_runs(application, agent, 1)
    with workers_for(Load(1, 0, 1, 1)):
        send(asked)
        await_asked(asked)
    request, run = ApprovalRequest.objects.get(), Run.objects.get(pk=asked[0])
    seed_waiting(size.waiting, request, run)
    seed_steps(size.rows, agent, run)
    _tidy_up()
    clients = {name: _sign_in(person) for name, person in people.items()}
    figures = [
        {"page": page, "person": name, **found}
        for name, client in clients.items()
        for page, address in list_pages(request, run)
        if (found := _measure(client, address, size.rounds))
    ]
    yield from sorted(figures, key=lambda each: float(each["cpu_ms"]))


def _tidy_up() -> None:
    """Do what the server does by itself in time, as the role that owns the tables: plans need to know their sizes."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("VACUUM (ANALYZE)")


def _measure(client: Client, address: str, rounds: int) -> dict[str, Any] | None:
    """Ask for a page again and again, unless it is not this person's; statements are those of the last time."""
    times: list[float] = []
    statements, begun_cpu = 0, 0.0
    for number in range(WARM_UP + rounds):
        if number == WARM_UP:
            begun_cpu = _used_ms()
        reset_queries()  # the log holds 9,000, and forgets the first ones beyond
        with CaptureQueriesContext(connection) as found:
            begun = time.perf_counter()
            status = client.get(address).status_code
            times.append((time.perf_counter() - begun) * 1_000)
        statements = len(found)
        if status in ELSEWHERE:
            return None
        if status != 200:
            raise RuntimeError(f"{address} answered {status}: the figures would be wrong")
    kept = times[WARM_UP:]
    return {
        "statements": statements,
        "cpu_ms": round((_used_ms() - begun_cpu) / rounds, 1),
        "p50_ms": round(statistics.median(kept), 1),
        "p95_ms": round(statistics.quantiles(kept, n=20)[-1], 1),
    }


def _used_ms() -> float:
    """Return the CPU time of this process and of the one that serves it in PostgreSQL: what a page costs by itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    return time.process_time() * 1_000 + cpu_ms([backend])


def _sign_in(officer: User) -> Client:
    device = TOTPDevice.objects.create(user=officer, confirmed=True, name="bench")
    client = Client()
    client.force_login(officer, backend=BACKEND)
    session = client.session
    session[DEVICE_ID_SESSION_KEY], session[SESSION_KEY] = device.persistent_id, time.time()
    session.save()
    return client
