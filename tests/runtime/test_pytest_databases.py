"""The databases of this very test run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import redis
from django.db import connection

from agentops.runtime.pytest_databases import (
    CLEANER_URL,
    Cleaner,
    copy_database,
    drop_databases,
    worker_environment,
)
from agentops.runtime.service_urls import database_name, with_database

STREAM = uuid.UUID("01900000-0000-7000-8000-000000000001")


@contextmanager
def scratch_database() -> Iterator[str]:
    """Provide an empty database beside the worker's own; drop it, and the copies made of it."""
    owner_url = os.environ["DATABASE_OWNER_URL"]
    name = f"scratch_{uuid.uuid4().hex[:8]}"
    copy_database(owner_url, "template1", name)
    yield with_database(owner_url, name)
    drop_databases(os.environ, name)
    with psycopg.connect(owner_url) as owner:
        left = owner.execute("SELECT FROM pg_database WHERE starts_with(datname, %s)", [name])
        assert left.fetchone() is None


def insert_stream() -> None:
    """Commit a row of the ledger as the application role."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_stream (id, kind, head_seq, head_hash) VALUES (%s, 'run', 1, '')", [STREAM]
        )


def count_streams() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_stream")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_tests_connect_as_the_application_role_to_a_database_of_their_worker() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        role, database = cursor.fetchone()

    assert role == "agentops_app"
    assert database.endswith(f"_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", [1, 2])
def test_what_a_test_commits_is_gone_for_the_next_one(attempt: int) -> None:
    assert count_streams() == 0

    insert_stream()

    assert count_streams() == 1


# A run on its own servers cleans as their superuser, one on named servers as the owner.
either_cleaner = pytest.mark.parametrize("role", [CLEANER_URL, "DATABASE_OWNER_URL"])


@either_cleaner
@pytest.mark.django_db(transaction=True)
def test_the_guards_are_back_after_cleaning(role: str) -> None:
    owner = psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True)
    cleaner = Cleaner.open(os.environ[role])
    try:
        insert_stream()
        cleaner.clean()
        assert count_streams() == 0

        insert_stream()
        for statement in ("DELETE FROM ledger_stream", "TRUNCATE ledger_stream CASCADE"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                owner.execute(statement.encode())
    finally:
        cleaner.close()
        owner.close()


@either_cleaner
def test_rows_that_migrations_wrote_come_back_and_others_do_not(role: str) -> None:
    with scratch_database() as scratch_url:
        with psycopg.connect(scratch_url, autocommit=True) as owner:
            owner.execute("CREATE TABLE price (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)")
            owner.execute("CREATE TABLE bill (price int REFERENCES price DEFERRABLE INITIALLY DEFERRED)")
            owner.execute("INSERT INTO price (name) VALUES ('seeded'), (NULL)")
        cleaner = Cleaner.open(with_database(os.environ[role], database_name(scratch_url)))
        try:
            cleaner.connection.execute("INSERT INTO price (name) VALUES ('by a test')")
            cleaner.connection.execute("INSERT INTO bill SELECT id FROM price")
            cleaner.clean()

            rows = cleaner.connection.execute("SELECT id, name FROM price ORDER BY id").fetchall()
            assert rows == [(1, "seeded"), (2, None)]
            assert cleaner.connection.execute("SELECT FROM bill").fetchone() is None
            # A sequence that started again would collide with the seeded rows.
            new = cleaner.connection.execute(
                "INSERT INTO price (name) VALUES ('next') RETURNING id"
            ).fetchone()
            assert new == (4,)
        finally:
            cleaner.close()


def test_only_the_runs_own_databases_are_dropped() -> None:
    with scratch_database() as scratch_url:
        name = database_name(scratch_url)
        drop_databases(os.environ, name[:-1])  # as run 12 beside run 123

        with psycopg.connect(scratch_url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_each_worker_has_its_own_numbers() -> None:
    with scratch_database() as scratch_url:
        template = database_name(scratch_url)
        variables = {**os.environ, "REDIS_URL": "redis://localhost/0", "BROKER_URL": ""}
        controller = worker_environment(variables, template=template, worker="main")
        first = worker_environment(controller, template=template, worker="gw0")
        second = worker_environment(controller, template=template, worker="gw1")

    urls = [each["REDIS_URL"] for each in (controller, first, second)]
    assert urls == ["redis://localhost/1", "redis://localhost/2", "redis://localhost/3"]
    assert urls == [each["BROKER_URL"] for each in (controller, first, second)]
    assert len({each["DATABASE_URL"] for each in (controller, first, second)}) == 3


@pytest.mark.parametrize("attempt", [1, 2])
def test_redis_is_empty_for_each_test(worker_redis: redis.Redis, attempt: int) -> None:
    assert worker_redis.dbsize() == 0

    worker_redis.set("left", "behind")


def test_a_developers_model_key_does_not_reach_the_tests() -> None:
    assert "OPENAI_API_KEY" not in os.environ
    assert os.environ["AGENTOPS_ENV"] == "test"
