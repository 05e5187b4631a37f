"""Places of a tool: never more than its limit, none lost for good, and counted here where Redis is down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import redis

from tests.tools.test_breaker import Clock
from tests.tools.valkeys import PrivateValkey, private_valkey
from tools import places as module
from tools.breaker import connect
from tools.places import LONGEST_WAIT_MS, TRY_AGAIN_MS, LocalPlaces, Places, SharedPlaces

TOOL, OTHER = UUID(int=7), UUID(int=8)
CLOCKED_SCRIPT = module.SCRIPT.replace("redis.call('TIME')", "redis.call('LRANGE', 'clock', 0, -1)")
LEASE_MS = 60_000

Either = LocalPlaces | SharedPlaces


@pytest.fixture
def clock(worker_redis: redis.Redis) -> Clock:
    return Clock(worker_redis)


@pytest.fixture(params=["local", "shared"])
def places(request: pytest.FixtureRequest, worker_redis: redis.Redis, clock: Clock) -> Either:
    if request.param == "local":
        return LocalPlaces(lambda: clock.now_ms)
    return SharedPlaces(worker_redis, "p:", CLOCKED_SCRIPT)


def test_no_more_are_let_in_than_there_are_places(places: Either, clock: Clock) -> None:
    assert [places.take(TOOL, 2, LEASE_MS, token) > 0 for token in "abc"] == [False, False, True]
    assert places.take(OTHER, 2, LEASE_MS, "d") == 0, "each tool has places of its own"
    places.leave(TOOL, "a")
    assert places.take(TOOL, 2, LEASE_MS, "c") == 0
    assert places.take(TOOL, 2, LEASE_MS, "e") >= clock.now_ms + TRY_AGAIN_MS


def test_the_place_of_a_killed_worker_comes_back(places: Either, clock: Clock) -> None:
    assert places.take(TOOL, 1, LEASE_MS, "killed") == 0
    clock.turn(LEASE_MS / 1000 - 0.001)
    assert places.take(TOOL, 1, LEASE_MS, "next") > clock.now_ms
    clock.turn(0.001)
    assert places.take(TOOL, 1, LEASE_MS, "next") == 0
    places.leave(TOOL, "killed")  # which was only slow: the place is another's by now
    assert places.take(TOOL, 1, LEASE_MS, "third") > clock.now_ms


def test_a_place_left_twice_is_one_place(places: Either) -> None:
    for token in "ab":
        places.take(TOOL, 2, LEASE_MS, token)
    places.leave(TOOL, "a")
    places.leave(TOOL, "a")
    assert [places.take(TOOL, 2, LEASE_MS, token) > 0 for token in "cd"] == [False, True]


def test_a_lower_limit_lets_nobody_in_until_enough_have_left(places: Either) -> None:
    for token in "abc":
        places.take(TOOL, 3, LEASE_MS, token)
    places.leave(TOOL, "a")
    assert places.take(TOOL, 1, LEASE_MS, "d") > 0


def test_those_who_wait_come_back_one_after_another(worker_redis: redis.Redis, clock: Clock) -> None:
    shared = SharedPlaces(worker_redis, "p:", CLOCKED_SCRIPT)
    shared.take(TOOL, 1, LEASE_MS, "held")
    waits = [shared.take(TOOL, 1, LEASE_MS, str(n)) - clock.now_ms for n in range(40)]
    assert waits[:3] == [TRY_AGAIN_MS, 2 * TRY_AGAIN_MS, 3 * TRY_AGAIN_MS]
    assert waits[-1] == LONGEST_WAIT_MS


def test_redis_keeps_nothing_of_places_for_good(worker_redis: redis.Redis) -> None:
    shared = SharedPlaces(worker_redis, "p:")
    for token in "ab":
        shared.take(TOOL, 1, LEASE_MS, token)
    keys = list(worker_redis.scan_iter("p:*"))
    assert len(keys) == 2
    assert all(0 < int(str(worker_redis.pttl(key))) <= LEASE_MS for key in keys)


def test_of_fifty_threads_three_get_a_place(worker_redis: redis.Redis) -> None:
    assert let_in_at_once(SharedPlaces(worker_redis, "p:"), 50, 3) == 3


def test_without_the_lock_of_the_script_more_get_in(worker_redis: redis.Redis) -> None:
    """The mutant: those whose lease is over are thrown out, and so is everybody else."""
    open_door = module.SCRIPT.replace("'-inf', text(now))", "'-inf', '+inf')")
    assert let_in_at_once(SharedPlaces(worker_redis, "p:", open_door), 50, 3) == 50


def let_in_at_once(shared: SharedPlaces, number: int, limit: int) -> int:
    answers: list[int] = []
    together = threading.Barrier(number)

    def take(token: str) -> None:
        together.wait(60)
        answers.append(shared.take(TOOL, limit, LEASE_MS, token))

    threads = [threading.Thread(target=take, args=(str(n),)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers.count(0)


@pytest.fixture
def own_valkey() -> Iterator[PrivateValkey]:
    with private_valkey() as server:
        yield server


@pytest.fixture
def connect_here(own_valkey: PrivateValkey) -> Callable[[], Places]:
    return lambda: Places(connect(own_valkey.url), "")


def test_two_workers_share_one_limit(connect_here: Callable[[], Places]) -> None:
    here, there = connect_here(), connect_here()
    held = here.take(TOOL, 1, 5)
    assert (held.retry_at, held.local) == (None, False)
    refused = there.take(TOOL, 1, 5)
    assert refused.retry_at is not None
    there.leave(refused)  # holds nothing, and so gives nothing back
    assert there.take(TOOL, 1, 5).retry_at is not None
    here.leave(held)
    here.take(OTHER, 1, 5)  # an answer on the same line: what was told before has been heard
    assert there.take(TOOL, 1, 5).retry_at is None


def test_an_outage_is_counted_through_in_this_process(
    own_valkey: PrivateValkey, connect_here: Callable[[], Places], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = connect_here()
    before = here.take(TOOL, 1, 5)
    own_valkey.kill()
    held = here.take(TOOL, 1, 5)
    assert (held.local, held.retry_at) == (True, None)
    refused = here.take(TOOL, 1, 5)
    assert (refused.local, refused.retry_at is None) == (True, False)
    here.leave(before)  # Redis is not there to hear it, which is no fault of the call's
    here.leave(held)
    assert here.take(TOOL, 1, 5).retry_at is None

    own_valkey.start()
    monkeypatch.setattr(here, "_redis_due_at", 0.0)
    assert here.take(TOOL, 1, 5).local is False
