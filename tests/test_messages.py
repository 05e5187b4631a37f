"""Hints to workers: sent after the commit, and nobody's trouble when they cannot be."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import transaction

from agentops.messages import count_waiting, send_after_commit

QUEUE = "hints-of-a-test"


def sent(client: redis.Redis) -> list[str]:
    """Return the names of the tasks in the queue."""
    messages = client.lrange(f"{settings.REDIS_PREFIX}:{QUEUE}", 0, -1)
    return [json.loads(message)["headers"]["task"] for message in messages]


@pytest.mark.django_db(transaction=True)
def test_message_waits_for_the_commit(worker_redis: redis.Redis) -> None:
    with transaction.atomic():
        send_after_commit("runs.wake_agent", "an id", queue=QUEUE)
        assert sent(worker_redis) == []
    assert sent(worker_redis) == ["runs.wake_agent"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_said_about_what_was_rolled_back(worker_redis: redis.Redis) -> None:
    with transaction.atomic():
        send_after_commit("runs.wake_agent", "an id", queue=QUEUE)
        transaction.set_rollback(True)
    assert sent(worker_redis) == []


@pytest.mark.django_db(transaction=True)
def test_message_carries_its_arguments(worker_redis: redis.Redis) -> None:
    send_after_commit("runs.wake_agent", "one", "two", queue=QUEUE)

    message = worker_redis.lindex(f"{settings.REDIS_PREFIX}:{QUEUE}", 0)
    assert json.loads(message)["headers"]["argsrepr"] == "('one', 'two')"  # type: ignore[arg-type]  # async in the stubs


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker_redis")
def test_what_waits_is_counted_over_several_queues() -> None:
    assert count_waiting(QUEUE, "another") == 0
    for queue in (QUEUE, QUEUE, "another"):
        send_after_commit("runs.wake_agent", "an id", queue=queue)
    assert (count_waiting(QUEUE), count_waiting(QUEUE, "another")) == (2, 3)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Serve nothing: connections are accepted by the kernel and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broker", ["redis://127.0.0.1:1/0", "redis+socket:///nowhere.sock", "silent"])
def test_broken_broker_breaks_nothing(
    broker: str,
    silent_server: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = silent_server if broker == "silent" else broker
    monkeypatch.setattr(current_app.conf, "broker_write_url", url)

    with caplog.at_level(logging.WARNING, "agentops.messages"), transaction.atomic():
        send_after_commit("runs.wake_agent", "an id", queue=QUEUE)
        assert count_waiting(QUEUE) == 0
    assert "runs.wake_agent was not sent" in caplog.text
    assert "is not known" in caplog.text
