"""The bench measures the real driver through real workers; what it could not measure it does not print."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runs.bench.meter import Counters
from runs.bench.steps import Load, _figures
from runs.management.commands.bench import Command
from tests.runtime.test_up import OURS

ROOT = Path(__file__).parents[2]
ASKED = {
    "concurrency",
    "steps_per_s",
    "cpu_ms_per_step",
    "overhead_ms_per_step",
    "statements_per_step",
    "commits_per_step",
    "wal_bytes_per_step",
    "model_latency_ms",
}
ZERO = Counters(0, 0, 0, 0, 0)


def run_bench(directory: Path, *arguments: str) -> list[dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    answer = subprocess.run(
        [sys.executable, "-m", "agentops", "bench", *arguments],
        cwd=ROOT,
        env={**environment, "AGENTOPS_DATA": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]


@pytest.mark.crash  # it needs workers, and time
@pytest.mark.slow
def test_it_prints_one_object_per_load(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The closing answer adds no latency: the overhead of a step with a slow model is what the machine adds."""
    loads = ("--concurrency", "2", "--latency-ms", "0,50", "--runs", "4", "--steps", "3")
    quick, slow = run_bench(tmp_path_factory.mktemp("bench"), "steps", "--json", *loads)

    assert quick.keys() >= ASKED
    assert (quick["concurrency"], quick["model_latency_ms"], slow["model_latency_ms"]) == (2, 0, 50)
    assert min(quick[name] for name in ("steps_per_s", "cpu_ms_per_step", "wal_bytes_per_step")) > 0
    assert quick["appends_per_step"] >= 2  # C1 and C2
    assert (
        1 < quick["commits_per_step"] <= quick["appends_per_step"] + 2
    )  # they gather, a run's ends stand alone
    assert slow["seconds"] >= 2 * 3 * 0.05


def test_it_measures_these_loads_unless_told_otherwise() -> None:
    options = Command().create_parser("agentops", "bench").parse_args(["steps"])
    assert (options.concurrency, options.latency_ms, options.steps) == ("1,8,32,128", "0,500", 10)


def test_it_prints_nothing_when_steps_are_missing() -> None:
    with pytest.raises(RuntimeError, match="5 of 6 steps"):
        _figures(Load(1, 0, 3, 2), 1.0, (1.0, 1.0), ZERO, ZERO, polls=1, steps=5)


@pytest.mark.crash
@pytest.mark.slow
def test_decisions_are_timed_to_their_recorded_outcomes(tmp_path_factory: pytest.TempPathFactory) -> None:
    (figures,) = run_bench(tmp_path_factory.mktemp("bench"), "decisions", "--runs", "3")

    times = figures["decision_to_outcome_ms"]
    assert figures["decisions"] == 3
    assert 0 < times["p50"] <= times["max"]


ORPHAN = """
import os, signal
import django
django.setup()
from runs.bench.steps import Load, _start_worker
print(_start_worker(0, Load(1, 0, 1, 1), 1).pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.crash
@pytest.mark.slow
def test_a_worker_does_not_outlive_a_benchmark_that_is_killed() -> None:
    died = subprocess.run(
        [sys.executable, "-c", ORPHAN], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    deadline = time.monotonic() + 20
    while Path(f"/proc/{int(died.stdout)}/cmdline").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{int(died.stdout)}").exists()
