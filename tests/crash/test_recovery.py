"""What goes on after an orderly stop of a worker, and without what the broker held."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import psycopg
import pytest
import redis

from runs.chaos.arena import Arena, Timing
from tests.crash.arenas import LASTING, await_endings, await_rows, open_arena, start_runs

pytestmark = [pytest.mark.crash, pytest.mark.slow]

UNDER_WAY = "SELECT count(*) FROM runs_run WHERE lease_until IS NOT NULL AND steps > 0 AND ended_at IS NULL"
ENDED_BY = "SELECT DISTINCT writer FROM chaos_write WHERE kind LIKE 'run.%' AND kind <> 'run.started'"
WAITING_FOR_LOCK = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
IN_TRANSACTION = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE state = 'idle in transaction'"
ENDINGS = "SELECT state, status_reason, count(*) FROM runs_run GROUP BY state, status_reason"


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """Provide an arena without workers; leases and time slices outlast every test."""
    with open_arena(timing=LASTING, workers=0) as arena:
        yield arena


@pytest.fixture
def started(arena: Arena) -> Iterator[Arena]:
    """Stop the workers that a test has started."""
    yield arena
    for worker in list(arena.workers):
        arena.stop_worker(worker)


def test_what_the_broker_lost_is_found_in_the_database(started: Arena) -> None:
    start_runs(started, 5)
    with redis.Redis.from_url(started.stack.environment()["REDIS_URL"]) as broker:
        assert broker.llen("agentops:normal") >= 5  # beside these, what the clock has sent meanwhile
        broker.flushall()

    started.start_worker()
    await_endings(started)


def test_runs_start_without_a_broker_and_go_on_with_it(started: Arena) -> None:
    started.start_worker()
    started.kill_valkey()
    runs = start_runs(started, 2)  # each acknowledged with 201
    assert started.read("SELECT count(*) FROM runs_run WHERE id = ANY(%s) AND state = 'queued'", runs) == [
        (2,)
    ]

    started.start_valkey()
    await_endings(started)


def test_workers_with_runs_in_their_hands_outlive_the_broker(started: Arena) -> None:
    worker = started.start_worker()
    start_runs(started, 4)
    await_rows(started, UNDER_WAY, [(4,)])
    started.kill_valkey()
    started.start_valkey()
    start_runs(started, 1)

    await_endings(started)
    assert started.find_dead() == []
    assert started.workers == [worker]


def test_a_frozen_worker_keeps_no_locks() -> None:
    """It stops in the middle of a transaction that has locked a cap of the whole agent."""
    with open_arena(workers=1) as arena:
        start_runs(arena, 1)
        await_endings(arena)  # now there are caps in use
        frozen = arena.workers[0]
        with psycopg.connect(arena.database_url()) as locking:
            locking.execute("SELECT FROM tools_capusage FOR UPDATE")
            start_runs(arena, 1)
            await_rows(arena, WAITING_FOR_LOCK, [("worker-1",)])
            arena.stack.kill(frozen, signal.SIGSTOP)
        await_rows(arena, IN_TRANSACTION, [("worker-1",)])
        arena.start_worker()
        start_runs(arena, 2)

        await_endings(arena)
        assert arena.read(ENDINGS) == [("completed", "", 4)]
        arena.kill_worker(frozen)


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_stopping_worker_hands_its_runs_on_at_once(pool: str) -> None:
    """Leases last for ten minutes here: nobody goes on with a run that was not given back."""
    with open_arena(
        timing=Timing(lease_s=600.0, slice_s=600.0, model_delay_s=1.0), pool=pool, workers=1
    ) as arena:
        first = arena.workers[0]
        start_runs(arena, 4)
        await_rows(arena, UNDER_WAY, [(4,)])
        arena.start_worker()
        exit_code = arena.stop_worker(first)

        await_endings(arena)
        ended_by, endings = arena.read(ENDED_BY), arena.read(ENDINGS)

    assert exit_code == 0
    assert ended_by == [("worker-2",)]
    assert endings == [("completed", "", 4)]
