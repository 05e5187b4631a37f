"""Commands with servers of one's own: none is embedded, and the given database is brought up to date."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from agentops.runtime import local_keys, service_urls
from agentops.runtime.bootstrap import OPT_OUT
from agentops.runtime.services import temporary_stack
from agentops.runtime.supervision import ROOT
from tests.runtime.loopback_servers import loopback_servers

OURS = (*service_urls.NEEDED, "BROKER_URL", *local_keys.NAMES)
EMBEDDED = ("pg18", "pg-socket", "postgres-home", "valkey", "valkey-socket")


def agentops(*arguments: str, data: Path, **urls: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line in an environment that names these servers and no others."""
    given = {name: value for name, value in os.environ.items() if name not in OURS} | urls
    return subprocess.run(
        [sys.executable, "-m", "agentops", *arguments],
        cwd=ROOT,
        env=given | {"AGENTOPS_DATA": str(data), "AGENTOPS_ENV": "development", OPT_OUT: "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in rows.fetchall()}


@pytest.mark.slow
@pytest.mark.crash
def test_servers_that_are_given_are_used(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with temporary_stack(durable=False) as outside:
        outside.start_postgres()
        outside.start_valkey()
        urls = {name: outside.environment()[name] for name in service_urls.NEEDED}
        assert tables(urls["DATABASE_URL"]) == set()

        result = agentops("verify", data=data, **urls)

        assert result.returncode == 0, result.stderr
        assert {"ledger_entry", "django_migrations", "runs_run"} <= tables(urls["DATABASE_URL"])
        assert not [name for name in EMBEDDED if (data / name).exists()]
        assert (data / "keys.json").exists()  # what it does keep there


@pytest.mark.slow
@pytest.mark.api
def test_the_demo_plays_on_servers_that_are_given(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with loopback_servers() as urls:
        result = agentops("demo", "--decide", "approve", data=data, **urls)

        assert result.returncode == 0, result.stdout + result.stderr
        assert "completed: 4 steps, 3 calls" in result.stdout
        with psycopg.connect(urls["DATABASE_URL"]) as connection:
            assert connection.execute("SELECT state FROM runs_run").fetchall() == [("completed",)]
        with redis.Redis.from_url(urls["REDIS_URL"]) as broker:
            assert broker.dbsize(), "the worker heard of its work there"
    assert not [name for name in EMBEDDED if (data / name).exists()]
    # A log for everything that was started: no server among it, and nothing missing that a run needs.
    started = {log.stem for log in (data / "logs").iterdir()}
    assert started == {"migrate", "load_demo", "shop", "planner", "worker", "beat"}


@pytest.mark.parametrize("command", ["up", "demo", "verify"])
def test_a_database_without_its_owner_is_refused_before_anything_starts(tmp_path: Path, command: str) -> None:
    data = tmp_path / "data"
    given = {name: service_urls.PLACEHOLDERS[name] for name in ("DATABASE_URL", "REDIS_URL")}

    result = agentops(command, data=data, **given)

    assert result.returncode == 1
    said = result.stdout + result.stderr  # `up` writes its log on the one, commands complain on the other
    assert "DATABASE_URL is set: set DATABASE_OWNER_URL too, for the migrations" in said
    assert not [name for name in EMBEDDED if (data / name).exists()]
