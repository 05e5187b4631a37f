from __future__ import annotations

import re
import time

import pytest
import redis
from pytest_django import Settings

from agentops.api import limits
from agentops.api.limits import LocalWindows, Policy, count_request
from tests.api.conftest import Callers

POLICY = Policy("read", 3, 60)


@pytest.fixture(autouse=True)
def fresh_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_local", LocalWindows())


@pytest.fixture
def no_redis(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"


def test_a_window_is_shared_by_all_and_ends(worker_redis: redis.Redis, settings: Settings) -> None:
    standings = [count_request(POLICY, "c1") for _ in range(4)]
    assert [standing.used for standing in standings] == [1, 2, 3, 4]
    assert [standing.is_exceeded for standing in standings] == [False, False, False, True]
    key = f"{settings.REDIS_PREFIX}:rate:read:c1"
    assert 0 < int(worker_redis.pttl(key)) <= 60_000
    worker_redis.delete(key)
    assert count_request(POLICY, "c1").used == 1


def test_clients_and_policies_are_counted_apart() -> None:
    assert count_request(POLICY, "c1").used == 1
    assert count_request(POLICY, "c2").used == 1
    assert count_request(Policy("write", 3, 60), "c1").used == 1


@pytest.mark.usefixtures("no_redis")
def test_without_redis_the_process_counts_for_itself() -> None:
    standings = [count_request(POLICY, "c1") for _ in range(4)]
    assert [standing.is_exceeded for standing in standings] == [False, False, False, True]
    assert not count_request(POLICY, "c2").is_exceeded


@pytest.mark.usefixtures("no_redis")
def test_a_redis_that_fails_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    count_request(POLICY, "c1")

    def fail(*_: object) -> None:
        raise AssertionError("asked again at once")

    monkeypatch.setattr(limits, "_count_shared", fail)
    assert count_request(POLICY, "c1").used == 2


def test_a_local_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = LocalWindows()
    assert [windows.count(POLICY, "k").used for _ in range(2)] == [1, 2]
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert windows.count(POLICY, "k").used == 1


def test_every_answer_tells_where_the_caller_stands(callers: Callers, settings: Settings) -> None:
    settings.RATE_LIMITS = {"read": (2, 60), "write": (1, 60)}
    answers = [callers.bob.get("/runs") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"read";q=2;w=60'
    assert [re.sub(r"t=\d+", "t", answer.headers["RateLimit"]) for answer in answers] == [
        '"read";r=1;t',
        '"read";r=0;t',
        '"read";r=0;t',
    ]
    assert answers[2].code == "throttled"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert callers.alice.get("/runs").status == 200
    assert callers.bob.post("/runs", {}).headers["RateLimit-Policy"] == '"write";q=1;w=60'


@pytest.mark.usefixtures("no_redis")
def test_a_flood_is_stopped_without_redis_too(callers: Callers, settings: Settings) -> None:
    settings.RATE_LIMITS = {"read": (2, 60), "write": (1, 60)}
    assert [callers.bob.get("/runs").status for _ in range(3)] == [200, 200, 429]


REFUSED = [
    ("/runs", {}, 401),
    ("/runs", {"Authorization": "Bearer aok_000000000000_" + "x" * 43}, 401),
    ("/runs", {"Accept": "text/csv"}, 406),
    ("/nowhere", {}, 404),
]


@pytest.mark.parametrize(("path", "headers", "status"), REFUSED)
def test_strangers_are_counted_by_where_they_come_from(
    callers: Callers, settings: Settings, path: str, headers: dict[str, str], status: int
) -> None:
    settings.RATE_LIMITS = {"read": (2, 60), "write": (1, 60)}
    answers = [callers.stranger.get(path, **headers) for _ in range(3)]
    assert [answer.status for answer in answers] == [status, status, 429]
    assert all('"read";r=' in answer.headers["RateLimit"] for answer in answers)
    callers.stranger.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    assert callers.stranger.get(path, **headers).status == status
    assert callers.bob.get("/runs").status == 200  # who is known counts for himself, from whatever address


def test_what_no_view_ever_saw_continues_the_trace_all_the_same(callers: Callers) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    refused = callers.bob.get("/runs", Host="evil.example", traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    assert (refused.status, refused.headers["traceparent"][3:35]) == (400, trace)
