"""``bench growth``: does a step cost more at the end of a long run, or in large tables?"""

from __future__ import annotations

import statistics
import time
from typing import Any
from uuid import UUID

from django.db import connection

from identities.models import AgentIdentity, Application
from runs.bench.meter import cpu_ms, postmaster
from runs.bench.seed import seed_steps
from runs.bench.steps import Load, measure
from runs.models import Run

LONG = 500
ROUNDS = 3
QUIET_MS = 200.0  # of CPU time within five seconds
FIGURES = ("steps_per_s", "cpu_ms_per_step", "wal_bytes_per_step", "overhead_ms_per_step")

_STEP_TIMES = """
SELECT extract(epoch FROM lead(asked_at) OVER (ORDER BY number) - asked_at) * 1000
FROM runs_step WHERE run_id = %s ORDER BY number
"""


def measure_growth(application: Application, agent: AgentIdentity, rows: int) -> dict[str, Any]:
    """Return the figures of short and long runs, and of empty and full tables, and their ratios."""
    short = _measure_best(application, agent)
    long = measure(Load(1, 0, LONG, 2), application, agent)
    longest = Run.objects.order_by("-steps").first()
    assert longest is not None  # noqa: S101  it was just made
    times = _step_times(longest.pk)
    early, late = statistics.median(times[10:60]), statistics.median(times[LONG - 60 : LONG - 10])
    seed_steps(rows, agent, longest)
    _await_quiet_server()
    full = _measure_best(application, agent)
    return {
        "steps": {"short": 10, "long": LONG},
        "step_ms": {"early": round(early, 2), "late": round(late, 2), "ratio": round(late / early, 2)},
        "wal_bytes_per_step": {"short": short["wal_bytes_per_step"], "long": long["wal_bytes_per_step"]},
        "rows": rows,
        "empty": {name: short[name] for name in FIGURES},
        "full": {name: full[name] for name in FIGURES},
        "full_to_empty": round(full["cpu_ms_per_step"] / short["cpu_ms_per_step"], 2),
    }


def _measure_best(application: Application, agent: AgentIdentity) -> dict[str, Any]:
    """Return the best of a few rounds: what other tenants of a machine take can only make a round worse."""
    rounds = [measure(Load(1, 0, 10, 100), application, agent) for _ in range(ROUNDS)]
    return min(rounds, key=lambda figures: figures["cpu_ms_per_step"])


def _await_quiet_server() -> None:
    """Wait until the server has tidied up behind so many new rows (vacuum, checkpoint)."""
    server, used = [postmaster()], QUIET_MS
    while used >= QUIET_MS:
        before = cpu_ms(server)
        time.sleep(5)
        used = cpu_ms(server) - before


def _step_times(run: UUID) -> list[float]:
    with connection.cursor() as cursor:
        cursor.execute(_STEP_TIMES, (run,))
        return [float(row[0]) for row in cursor.fetchall() if row[0] is not None]
