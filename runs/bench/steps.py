"""``bench steps``: durable, governed steps per second through Celery and the real driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import connection

from agentops.runtime.application import NICE, QUEUES, URGENT_QUEUES
from agentops.runtime.processes import tied_argv
from identities.models import AgentIdentity, ApiKey, Application
from runs.bench.meter import Counters, cpu_ms, memory_kb, postmaster, read_counters, settle_statistics
from runs.models import Priority, Run
from runs.services import start_run
from runs.tasks import sweep

RUNS = {1: 30, 8: 96, 32: 256, 128: 384}
WORKERS = 2
BOOT_TIMEOUT_S = 60.0
WARM_UP = 8
AT_ONCE = 32
POLL_S = 0.1  # what looks for the end runs on the same cores
SWEEP_POLLS = 20  # every 2 s
PATIENCE_S = 600.0  # a limit, no measure: where no batch of runs has ended for so long, none will


@dataclass(frozen=True, slots=True)
class Load:
    """One row of the benchmark: how many runs at once, of how many steps, with how slow a model."""

    concurrency: int
    latency_ms: int
    steps: int
    runs: int


def measure(load: Load, application: Application, agent: AgentIdentity) -> dict[str, Any]:
    """Run one load and return its figures."""
    warm_up = create_runs(application, agent, WARM_UP)
    runs = create_runs(application, agent, load.runs)
    forget_messages()
    with workers_for(load) as workers:
        send(warm_up)
        await_ended(warm_up)
        roots, server = [worker.pid for worker in workers], [postmaster()]
        resting_kb = memory_kb(roots)
        before, cpu_before, started = read_counters(), (cpu_ms(roots), cpu_ms(server)), time.monotonic()
        send(runs)
        polls, most_kb = _watch(runs, roots)
        elapsed = time.monotonic() - started
        cpu = cpu_ms(roots) - cpu_before[0], cpu_ms(server) - cpu_before[1]
    settle_statistics()
    figures = _figures(load, elapsed, cpu, before, read_counters(), polls, _count_steps(runs))
    return {**figures, "memory_kb_per_run": round((most_kb - resting_kb) / load.concurrency)}


def create_runs(
    application: Application, agent: AgentIdentity, count: int, key: ApiKey | None = None
) -> list[UUID]:
    """Start runs, with a key of the application where one is named; they may wait long until workers are up."""
    created = [
        start_run(
            actor=application.service_account, agent=agent, message="Do nothing.", issuer="bench",
            subject="nobody", application=application, credential=key, priority=Priority.HIGH,
        )
        for _ in range(count)
    ]  # fmt: skip
    return [run.pk for run in created]


def forget_messages() -> None:
    """Empty the queues: what was started is to wait until it is sent."""
    with current_app.connection_for_write() as broker:
        for queue in QUEUES.split(","):
            current_app.amqp.queues[queue].bind(broker.default_channel).purge()


def send(runs: list[UUID]) -> None:
    with current_app.producer_pool.acquire(block=True) as producer:
        for run in runs:
            current_app.send_task("runs.drive", args=[str(run)], queue="high", producer=producer)


def _watch(runs: list[UUID], workers: list[int]) -> tuple[int, int]:
    """Wait for all to end; return how many statements the waiting cost, and the most memory seen, in KB.

    A few are asked for at a time: to look for two thousand every time would take a share of what is measured.
    The sweeper goes round as it does with a scheduler. Raises TimeoutError when none of them end any more.
    """
    most, polls = memory_kb(workers), 0
    for start in range(0, len(runs), AT_ONCE):
        some, began, polls = runs[start : start + AT_ONCE], time.monotonic(), polls + 1
        while Run.objects.filter(pk__in=some, ended_at=None).exists():
            if time.monotonic() > began + PATIENCE_S:
                raise TimeoutError("the runs did not end")
            time.sleep(POLL_S)
            most, polls = max(most, memory_kb(workers)), polls + 1
            if polls % SWEEP_POLLS == 0:
                sweep()
    return polls, most


def await_ended(runs: list[UUID]) -> None:
    """Wait for all to end."""
    _watch(runs, [])


def _count_steps(runs: list[UUID]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(tool_calls) FROM runs_run WHERE id = ANY(%s) AND state = 'completed'", (runs,)
        )
        return int(cursor.fetchone()[0] or 0)


@contextmanager
def workers_for(load: Load, urgent: int = 0) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the workers that this load needs, threads in two processes; stop them at the end.

    ``urgent`` is how many threads another one has for what is urgent alone, as the stack's; none: no such worker.
    """
    count = 1 if load.concurrency == 1 else WORKERS
    nice = NICE if urgent else "0"
    started = [_start_worker(number, load, load.concurrency // count, nice=nice) for number in range(count)]
    if urgent:
        started.append(_start_worker(count, load, urgent, URGENT_QUEUES))
    try:
        _await_workers(len(started))
        yield started
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait(30)


def _start_worker(
    number: int, load: Load, threads: int, queues: str = QUEUES, nice: str = "0"
) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "celery", "-A", "config", "worker", "-P", "threads", "-c", str(threads)]
    options = [
        "-Q",
        queues,
        "-n",
        f"bench{number}@%h",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]
    env = {
        **os.environ,
        "WORKER_NICE": nice,
        "NULL_PLANNER_LATENCY_S": str(load.latency_ms / 1000),
        "NULL_PLANNER_STEPS": str(load.steps),
        "TOOLS_PYTHON_MODULES": "runs.bench.noop",
    }
    # It dies with the benchmark: without its servers it would not even stop when it is told to.
    tied = tied_argv([*argv, *options, "-l", "ERROR"], stop_signal=signal.SIGKILL)
    return subprocess.Popen(tied, env=env, cwd=settings.BASE_DIR, stdout=subprocess.DEVNULL)


def _await_workers(count: int) -> None:
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            if len(current_app.control.ping(timeout=0.5) or ()) >= count:
                return
    raise TimeoutError("the workers did not come up")


def _figures(
    load: Load,
    elapsed: float,
    cpu: tuple[float, float],
    before: Counters,
    after: Counters,
    polls: int,
    steps: int,
) -> dict[str, Any]:
    if steps != load.runs * load.steps:
        raise RuntimeError(f"{steps} of {load.runs * load.steps} steps were made: the figures would be wrong")
    per_run_step_ms = elapsed * 1000 * load.concurrency / steps
    return {
        "concurrency": load.concurrency,
        "model_latency_ms": load.latency_ms,
        "steps_per_run": load.steps,
        "runs": load.runs,
        "seconds": round(elapsed, 2),
        "steps_per_s": round(steps / elapsed, 1),
        "cpu_ms_per_step": round(sum(cpu) / steps, 2),
        "cpu_ms_workers": round(cpu[0] / steps, 2),
        "cpu_ms_postgres": round(cpu[1] / steps, 2),
        "overhead_ms_per_step": round(per_run_step_ms - load.latency_ms, 2),
        "statements_per_step": round((after.transactions - before.transactions - polls) / steps, 2),
        "commits_per_step": round((after.commits - before.commits) / steps, 2),
        "appends_per_step": round((after.appends - before.appends) / steps, 2),
        "wal_bytes_per_step": round((after.wal_bytes - before.wal_bytes) / steps),
    }
