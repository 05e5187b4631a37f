"""The embedded servers, for real."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from agentops.runtime import accounts
from agentops.runtime.processes import StackError
from agentops.runtime.services import POSTGRES_HOME, Stack, temporary_stack

pytestmark = [pytest.mark.slow, pytest.mark.setup]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Run a durable stack of its own, as bench and crash tests do."""
    with temporary_stack(durable=True) as stack:
        stack.start_postgres()
        stack.start_valkey()
        yield stack


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


@pytest.mark.parametrize(
    ("variable", "role"), [("DATABASE_URL", "agentops_app"), ("DATABASE_OWNER_URL", "agentops_owner")]
)
def test_the_roles_have_no_more_power_than_they_need(stack: Stack, variable: str, role: str) -> None:
    url = stack.environment()[variable]

    of_mine = "FROM pg_roles WHERE rolname = current_user"
    assert ask(url, "SELECT current_user") == role
    assert ask(url, f"SELECT rolsuper OR rolbypassrls OR rolcreaterole {of_mine}") is False
    assert ask(url, f"SELECT rolcreatedb {of_mine}") is (role == "agentops_owner")


def test_the_application_role_owns_nothing_and_creates_nothing(stack: Stack) -> None:
    urls = stack.environment()
    owner_of_all = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
    assert ask(urls["DATABASE_URL"], owner_of_all) == "agentops_owner"

    with psycopg.connect(urls["DATABASE_OWNER_URL"]) as owner:
        owner.execute("CREATE TABLE mine (id int)")
    for statement in ("CREATE TABLE theirs (id int)", "DROP TABLE mine", "CREATE DATABASE theirs"):
        with (
            psycopg.connect(urls["DATABASE_URL"], autocommit=True) as application,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            application.execute(statement.encode())


def test_postgres_has_its_extensions_and_no_network(stack: Stack) -> None:
    url = stack.environment()["DATABASE_URL"]

    assert ask(url, "SELECT array_agg(extname ORDER BY extname)::text[] FROM pg_extension") == [
        "pg_trgm",
        "plpgsql",
        "vector",
    ]
    assert ask(url, "SHOW listen_addresses") == ""
    assert ask(url, "SHOW timezone") == "UTC"
    assert ask(url, "SHOW max_connections") == "200"


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_a_durable_stack_is_durable(stack: Stack, setting: str) -> None:
    assert ask(stack.environment()["DATABASE_URL"], f"SHOW {setting}") == "on"


def test_valkey_comes_back_on_the_same_address(stack: Stack) -> None:
    url = stack.environment()["REDIS_URL"]
    with redis.Redis.from_url(url) as client:
        before = client.info()["process_id"]

        process = stack.restart_valkey()

        assert process.pid == client.info()["process_id"] != before
    assert stack.environment()["REDIS_URL"] == url
    assert [each.name for each in stack.processes].count("valkey") == 1


def test_valkey_never_drops_what_it_was_given_and_has_a_database_per_worker(stack: Stack) -> None:
    with redis.Redis.from_url(stack.environment()["REDIS_URL"]) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("databases") == {"databases": "64"}
        assert client.config_get("port") == {"port": "0"}


def test_processes_get_the_stacks_variables_and_their_own(stack: Stack) -> None:
    script = (
        "import os; print(os.environ['DATABASE_URL'], os.environ['EXTRA'], os.environ['PATH'], os.getcwd())"
    )
    stack.run("show", [sys.executable, "-c", script], env={"EXTRA": "more"})

    shown = stack.log_of("show").read_text().split()
    assert shown[:3] == [stack.environment()["DATABASE_URL"], "more", os.environ["PATH"]]
    assert (Path(shown[3]) / "manage.py").exists()


def test_sockets_are_closed_to_others(stack: Stack) -> None:
    for name in ("pg-socket", "valkey-socket"):
        assert stat.S_IMODE((stack.data / name).stat().st_mode) == 0o700


def test_a_temporary_stack_leaves_nothing() -> None:
    with temporary_stack(durable=False) as stack:
        stack.start_valkey()
        assert stack.data.exists()

    assert not stack.data.exists()


def test_only_what_was_started_is_named(open_directory: Path) -> None:
    with Stack(open_directory, durable=False) as stack:
        stack.start_valkey()

        assert not any(name.startswith("DATABASE") for name in stack.environment())


def test_committed_rows_survive_a_killed_server(open_directory: Path) -> None:
    with Stack(open_directory, durable=True) as stack:
        process = stack.start_postgres()
        url = stack.environment()["DATABASE_OWNER_URL"]
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        stack.kill(process, signal.SIGKILL)

    with Stack(open_directory, durable=True) as stack:
        stack.start_postgres()

        assert (
            ask(stack.environment()["DATABASE_URL"].replace("_app", "_owner"), "SELECT value FROM kept") == 7
        )


def test_an_interrupted_initdb_is_begun_again(open_directory: Path) -> None:
    (open_directory / "pg18.unfinished").mkdir()
    (open_directory / "pg18.unfinished" / "PG_VERSION").write_text("18")

    with Stack(open_directory, durable=False) as stack:
        stack.start_postgres()

        assert ask(stack.environment()["DATABASE_URL"], "SELECT 1") == 1


def test_a_broken_cluster_is_reported_with_the_servers_words(open_directory: Path) -> None:
    cluster = open_directory / "pg18"
    cluster.mkdir(mode=0o700)
    accounts.account_for_postgres().own(cluster)

    with (
        Stack(open_directory, durable=False) as stack,
        pytest.raises(StackError, match=r"(?s)postgres did not start.*postgresql.conf"),
    ):
        stack.start_postgres()


def kept_table(data: Path, *, create: bool = False) -> object:
    """Run a stack and say whether its database has the table ``kept``."""
    with Stack(data, durable=False) as stack:
        stack.start_postgres()
        url = stack.environment()["DATABASE_OWNER_URL"]
        if create:
            with psycopg.connect(url) as connection:
                connection.execute("CREATE TABLE kept (id int)")
        return ask(url, "SELECT to_regclass('kept')::text")


def test_a_private_data_directory_keeps_its_cluster_elsewhere_and_never_another_ones(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root with a checkout in a private home; any other account can reach what it owns."""
    public, home = open_directory / "public", open_directory / "home"
    public.mkdir()
    home.mkdir(mode=0o700)
    data = home / "data"
    monkeypatch.setattr(accounts, "PUBLIC_DIRECTORY", public)

    assert kept_table(data, create=True) == "kept"
    assert (data / POSTGRES_HOME).exists() is (os.geteuid() == 0)
    assert kept_table(data) == "kept"

    shutil.rmtree(data)  # a person starts from nothing
    assert kept_table(data) is None
