"""``agentops test``: the suite on real PostgreSQL and Valkey."""

from __future__ import annotations

import argparse
import os
import sys

from agentops.runtime.chromium import provide_chromium
from agentops.runtime.supervision import ROOT

BROWSER = "browser"
SUITES = (
    "retail", "crash", "budget", "authority", "revocation", "canary", "tokens", "dmn", "mcp", "api", "attacks", BROWSER,
    "retail-faults", "undo", "approvals", "batch", "changesets", "rude", "delegation", "console", "setup",
    "context", "burst", "otel", "indicators", "replay", "webhooks", "evaluation",
)  # fmt: skip
# One more than the two cores of a small machine: tests wait for their servers, for locks, and for processes.
WORKERS = "3"


def parse_arguments(argv: list[str]) -> tuple[str | None, list[str]]:
    """Return the suite and what is meant for pytest."""
    parser = argparse.ArgumentParser(
        prog="agentops test",
        allow_abbrev=False,
        usage="agentops test [-h] [--suite NAME] [pytest's arguments ...]",
        description="Install what is missing, start a throw-away PostgreSQL and Valkey, run the tests. "
        "DATABASE_URL, DATABASE_OWNER_URL and REDIS_URL together name servers to use instead.",
        epilog="Without --suite everything that is quick runs, in three processes.",
    )
    parser.add_argument(
        "--suite", choices=SUITES, help="run one named suite whole; a skip in it is a failure"
    )
    arguments, rest = parser.parse_known_args(argv)
    return arguments.suite, rest


def pytest_arguments(suite: str | None, rest: list[str]) -> list[str]:
    """Return pytest's arguments; later ones override the defaults."""
    selection = ["--suite", suite] if suite else ["-n", WORKERS, "-m", "not slow"]
    return [*selection, *rest]


def run_tests(suite: str | None, rest: list[str]) -> int:
    """Become pytest, whose exit code is then ours; raises BootstrapError for a suite that lacks its browser."""
    if suite == BROWSER:
        provide_chromium()
    os.chdir(ROOT)
    # Many images set it. A run starts some hundred processes, and each would compile all modules anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *pytest_arguments(suite, rest)])
