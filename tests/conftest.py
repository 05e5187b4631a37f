"""What every test can rely on: a migrated database of its worker, clean before it and after it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from functools import cache

import httpx2
import pytest
import redis
from django.db import connection
from django.test import TransactionTestCase, override_settings
from hypothesis import settings
from pytest_django import DjangoDbBlocker

from agentops.runtime.pytest_databases import CLEANER_URL, Cleaner
from identities.oauth.signing_keys import keeper
from tests.cast import let_one_person_govern
from tests.casting import cast, casting, governed

__all__ = ["cast", "casting", "governed"]  # fixtures for everybody

# The machine's speed decides no test.
settings.register_profile("agentops", deadline=None)
settings.load_profile("agentops")


# Collecting tests makes objects by the million and drops few of them: none is looked at before the end of it.
gc.disable()
# What tests make is dropped mostly without the collector's help: the default of 700 has each looked at many times.
gc.set_threshold(50_000)

# What a test would pay for each password, and for each client, which lists every static file when it starts.
CHEAP = {"PASSWORD_HASHERS": ["tests.hashing.OneRound"], "WHITENOISE_AUTOREFRESH": True}


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over modules and collected tests, which live as long as the run."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Use the database that the run prepared, and clean it past the ledger's guards.

    Django's own flush would truncate the ledger as the application role, which the database refuses.
    """
    # A test may rest in its transaction, as under a debugger; the processes that it starts may not.
    connection.settings_dict["OPTIONS"].pop("options")
    let_one_person_govern(os.environ[CLEANER_URL])
    cleaner = Cleaner.open(os.environ[CLEANER_URL])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _case: _clean(cleaner))
        yield
    cleaner.close()


def _clean(cleaner: Cleaner) -> None:
    cleaner.clean()
    keeper.forget()  # a process keeps the keys that it signs with, and these have gone with their rows


@pytest.fixture(scope="session", autouse=True)
def _cheap_settings() -> Iterator[None]:
    """Spare tests what is dear on purpose, or is done once in a server's life."""
    with override_settings(**CHEAP), pytest.MonkeyPatch.context() as patch:
        # A planner's client reads all certificates when it is made, and most tests of runs make one.
        patch.setattr(httpx2, "create_ssl_context", cache(httpx2.create_ssl_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_room_for_others() -> Iterator[None]:
    """Have drivers of this process keep their threads: messages of tests wait for ever, for no worker takes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runs.driver.is_asked", lambda _priority: False)
        yield


@pytest.fixture(scope="session")
def worker_redis() -> Iterator[redis.Redis]:
    """Connect to the Redis database of this worker."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
        yield client


@pytest.fixture(autouse=True)
def _empty_redis(worker_redis: redis.Redis) -> Iterator[None]:
    """Leave nothing behind in Redis; processes that outlive a test need a stack of their own."""
    yield
    if worker_redis.dbsize():
        worker_redis.flushdb()
