"""What ``agentops test`` asks of pytest."""

from __future__ import annotations

import os

import pytest

from agentops.runtime import testing


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["-n", "3", "-m", "not slow"]),
        (["-k", "ledger", "-x"], ["-n", "3", "-m", "not slow", "-k", "ledger", "-x"]),
        (["tests/engine"], ["-n", "3", "-m", "not slow", "tests/engine"]),
        (["--suite", "crash"], ["--suite", "crash"]),
        (["--suite", "budget", "-x"], ["--suite", "budget", "-x"]),
    ],
)
def test_the_arguments_of_pytest(given: list[str], expected: list[str]) -> None:
    assert testing.pytest_arguments(*testing.parse_arguments(given)) == expected


def test_the_processes_of_a_run_may_keep_what_they_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(os, "execv", lambda *_: kept.append("PYTHONDONTWRITEBYTECODE" not in os.environ))
    testing.run_tests(None, [])
    assert kept == [True]
