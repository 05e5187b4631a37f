"""Load on real workers: runs that begin at a rate, and by what of them each urgent one was overtaken."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection

from agentops.errors import Overloaded
from identities.models import AgentIdentity, Application
from runs.bench.company import create_company
from runs.bench.steps import Load, forget_messages, workers_for
from runs.models import Priority, Run
from runs.services import start_run
from runs.tasks import sweep

STEPS = 12  # so that to start runs, by this process, costs little beside carrying them out
THREADS = 16  # in two worker processes
URGENT_THREADS = 4  # in a third one
LATENCY_MS = 50  # of the model: a run waits for most of its life, as runs do
SWEEP_EVERY_S = 2.0  # as the scheduler does
PATIENCE_S = 600.0  # a limit, no measure: what is not done by then is lost

_STARTS = """
SELECT r.id, extract(epoch FROM s.asked_at - r.created_at) * 1000 FROM runs_run r
JOIN runs_step s ON s.run_id = r.id AND s.number = 1 WHERE r.id = ANY(%s)
"""
# How many runs of low priority began between the moment an urgent one was accepted and the moment it began.
_OVERTAKEN = """
SELECT (SELECT count(*) FROM runs_run b JOIN runs_step t ON t.run_id = b.id AND t.number = 1
    WHERE b.priority = 0 AND t.asked_at > r.created_at AND t.asked_at < s.asked_at)
FROM runs_run r JOIN runs_step s ON s.run_id = r.id AND s.number = 1 WHERE r.id = ANY(%s)
"""


@dataclass
class Offered:
    """What was begun, by priority, and how often each was put off."""

    accepted: dict[Priority, list[UUID]] = field(default_factory=lambda: {each: [] for each in Priority})
    refused: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))


@dataclass
class Floor:
    """The company, its workers, and the sweeper, which goes round between other things."""

    application: Application
    agent: AgentIdentity
    offered: Offered = field(default_factory=Offered)
    swept_at: float = 0.0

    def begin(self, priority: Priority) -> UUID | None:
        """Start a run, or note that it was put off."""
        try:
            run = start_run(
                actor=self.application.service_account, agent=self.agent, message="Do nothing.", issuer="burst",
                subject="nobody", application=self.application, priority=priority,
            )  # fmt: skip
        except Overloaded:
            self.offered.refused[priority] += 1
            return None
        self.offered.accepted[priority].append(run.pk)
        return run.pk

    def look_round(self) -> None:
        """Let the sweeper go round if it is time."""
        if time.monotonic() - self.swept_at >= SWEEP_EVERY_S:
            self.swept_at = time.monotonic()
            sweep()

    def offer(self, seconds: float, bulk_per_s: float, urgent_per_s: float) -> None:
        """Begin runs of low and of high priority at these rates for so long."""
        began, bulk, urgent = time.monotonic(), 0, 0
        while (past := time.monotonic() - began) < seconds:
            if urgent < past * urgent_per_s:
                urgent += 1
                self.begin(Priority.HIGH)
            elif bulk < past * bulk_per_s:
                bulk += 1
                self.begin(Priority.LOW)
            else:
                time.sleep(0.005)
            self.look_round()

    def await_ended(self, runs: Sequence[UUID]) -> None:
        """Wait until all have ended; raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE_S
        while Run.objects.filter(pk__in=runs, ended_at=None).exists():
            if time.monotonic() > deadline:
                raise TimeoutError("runs that were accepted have not ended")
            self.look_round()
            time.sleep(0.1)


@contextmanager
def open_floor() -> Iterator[Floor]:
    """Start the workers, and warm them up."""
    floor = Floor(*create_company(STEPS))
    with workers_for(Load(THREADS, LATENCY_MS, STEPS, 0), urgent=URGENT_THREADS):
        floor.await_ended([run for _ in range(THREADS) if (run := floor.begin(Priority.NORMAL))])
        floor.offered = Offered()
        yield floor
    forget_messages()


def measure_rate(floor: Floor, number: int = 60) -> float:
    """Return how many runs the machine carries out in a second when nothing else is to be done."""
    began = time.monotonic()
    floor.await_ended([run for _ in range(number) if (run := floor.begin(Priority.NORMAL))])
    return number / (time.monotonic() - began)


def measure_starts_ms(floor: Floor, number: int = 40) -> list[float]:
    """Return how long single urgent runs take from being accepted to their first step, in ms, with nothing else."""
    runs = []
    for _ in range(number):
        runs.append(floor.begin(Priority.HIGH))
        time.sleep(0.2)
    begun = [run for run in runs if run is not None]
    floor.await_ended(begun)
    return read_starts_ms(begun)


def read_starts_ms(runs: Sequence[UUID]) -> list[float]:
    """Return how long each took from being accepted to its first step, in ms."""
    with connection.cursor() as cursor:
        cursor.execute(_STARTS, [list(runs)])
        return [float(row[1]) for row in cursor.fetchall()]


def count_overtakers(runs: Sequence[UUID]) -> list[int]:
    """Return how many runs of low priority began before each of these, and after it was accepted."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERTAKEN, [list(runs)])
        return sorted(int(row[0]) for row in cursor.fetchall())


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that so large a share of all is not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def tell(name: str, starts_ms: Sequence[float]) -> str:
    """Return a line of figures."""
    middle, late = statistics.median(starts_ms), quantile(starts_ms, 0.99)
    return (
        f"{name}: {len(starts_ms)} runs, from accepted to first step p50 {middle:.0f} ms, p99 {late:.0f} ms"
    )
