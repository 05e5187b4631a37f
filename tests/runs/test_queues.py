"""A run's messages go to the queue of its priority, workers take the urgent first, drivers make room."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import redis
import yaml
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu import Connection, Message, Queue

from agentops.database import borrowed
from agentops.messages import QUEUES, count_waiting, send_now
from agentops.runtime import application
from runs import driver, lease_rows, queues, tasks
from runs.bench.steps import forget_messages
from runs.models import Priority, Run
from runs.queues import Room
from runs.services import cancel_run
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says

ALL = ((Priority.LOW, "bulk"), (Priority.NORMAL, "normal"), (Priority.HIGH, "high"))


def waiting(client: redis.Redis, queue: str) -> list[str]:
    """Return which runs are to be driven, by the messages of a queue, the first that will be taken first."""
    found = client.lrange(f"{settings.REDIS_PREFIX}:{queue}", 0, -1)
    runs = [re.findall("[0-9a-f-]{36}", json.loads(each)["headers"]["argsrepr"]) for each in found]
    return [run for [run] in reversed(runs)]


@pytest.mark.parametrize(("priority", "queue"), ALL)
def test_a_run_begins_and_is_swept_and_handed_on_by_the_queue_of_its_priority(
    company: Company,
    worker_redis: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    priority: Priority,
    queue: str,
) -> None:
    company.play(says("Done."))
    run = company.start(priority=priority)
    assert waiting(worker_redis, queue) == [str(run.pk)]
    tasks.sweep()
    with borrowed() as lent, lent.cursor() as cursor:
        context = lease_rows.read_context(cursor, run.pk)
    monkeypatch.setattr(tasks, "drive_run", lambda _: context)
    tasks.drive.run(str(run.pk))
    assert waiting(worker_redis, queue) == [str(run.pk)] * 3
    assert not [other for other in QUEUES if other != queue and waiting(worker_redis, other)]


def test_what_people_do_to_a_run_stands_behind_no_run(company: Company, worker_redis: redis.Redis) -> None:
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.drive(company.start(priority=Priority.LOW))
    worker_redis.flushdb()
    company.decide()
    cancel_run(actor=company.cast.application.service_account, run=run)
    assert waiting(worker_redis, "critical") == [str(run.pk)] * 2


@pytest.fixture
def taken(worker_redis: redis.Redis) -> list[str]:
    """Provide which queue each message came from that a consumer of ours has taken, as workers do, one at a time."""
    return []


def take_all(found: list[str], *, options: dict[str, object]) -> None:
    """Take every message, one at a time, over a connection like a worker's."""

    def note(_body: object, message: Message) -> None:
        found.append(message.delivery_info["routing_key"])
        message.ack()

    with Connection(settings.CELERY_BROKER_URL, transport_options=options) as connection:
        listed = [Queue(name, routing_key=name) for name in QUEUES]
        with connection.Consumer(listed, callbacks=[note], accept=["json"], prefetch_count=1):
            while len(found) < SENT:
                connection.drain_events(timeout=5)


SENT = 8


def send_backwards() -> None:
    """Put two messages into each queue, the least urgent first."""
    for queue in reversed(QUEUES):
        for _ in range(SENT // len(QUEUES)):
            send_now("runs.drive", "an id", queue=queue, expires_s=60)


def test_workers_take_from_the_queues_in_order(taken: list[str]) -> None:
    send_backwards()
    take_all(taken, options=dict(settings.CELERY_BROKER_TRANSPORT_OPTIONS))
    assert taken == [queue for queue in QUEUES for _ in range(2)]


def test_without_the_order_they_would_take_from_all_in_turn(taken: list[str]) -> None:
    send_backwards()
    options = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "queue_order_strategy": "round_robin"}
    take_all(taken, options=options)
    assert taken.index("bulk") < SENT - 2


def test_everything_that_consumes_names_the_queues_in_this_order() -> None:
    order = ",".join(QUEUES)
    compose = yaml.safe_load((Path(settings.BASE_DIR) / "docker-compose.yml").read_text())
    command = compose["services"]["worker"]["command"]
    assert (application.QUEUES, command[command.index("-Q") + 1]) == (order, order)
    assert f"-Q {order}" in (Path(settings.BASE_DIR) / "docs/driver.md").read_text()
    assert current_app.conf.task_routes["runs.sweep"] == {"queue": QUEUES[0]}


@pytest.mark.usefixtures("worker_redis")
def test_a_benchmark_forgets_what_was_sent_in_all_queues() -> None:
    send_backwards()
    assert count_waiting(*QUEUES) == SENT
    forget_messages()
    assert count_waiting(*QUEUES) == 0


# --- making room ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.usefixtures("worker_redis")
def test_a_slice_ends_for_who_is_as_urgent_and_room_is_made_at_once_for_who_is_more(queue: str) -> None:
    send_now("runs.drive", "an id", queue=queue, expires_s=60)
    for priority, own in ALL:
        more_urgent = QUEUES.index(queue) < QUEUES.index(own)
        assert Room().is_asked(priority, also_by_equals=True) is (more_urgent or queue == own)
        assert Room().is_asked(priority) is more_urgent


@pytest.mark.usefixtures("worker_redis")
def test_as_many_make_room_as_wait_and_the_broker_is_asked_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(2):
        send_now("runs.drive", "an id", queue="high", expires_s=60)
    room = Room()
    monkeypatch.setattr(queues, "LOOK_S", 3_600)
    assert [room.is_asked(Priority.LOW) for _ in range(5)] == [True, True, False, False, False]
    send_now("runs.drive", "an id", queue="high", expires_s=60)
    assert not room.is_asked(Priority.LOW)
    monkeypatch.setattr(queues, "LOOK_S", 0)
    other = Room()
    assert [other.is_asked(Priority.LOW) for _ in range(5)] == [True] * 5, "each looks anew"


def begin_two(company: Company) -> tuple[Run, bool]:
    """Drive a run of low priority while an urgent one waits; return it, and whether its driver hands it on."""
    company.add_reads()
    company.play(proposes(("look_up", ORDER)), says("Done."))
    bulk = company.start(priority=Priority.LOW)
    company.start(priority=Priority.HIGH)
    again = driver.drive(bulk.pk)
    bulk.refresh_from_db()
    return bulk, again is not None


@pytest.mark.usefixtures("worker_redis")
def test_a_bulk_run_makes_room_between_two_commands(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "is_asked", Room().is_asked)
    bulk, again = begin_two(company)
    assert (again, bulk.state, bulk.lease_until) == (True, "in_progress", None)
    assert bulk.wake_at is not None
    assert driver.drive(bulk.pk) is None
    bulk.refresh_from_db()
    assert bulk.state == "completed", "one message, one thread: the second time nothing was asked of it"


@pytest.mark.usefixtures("worker_redis")
def test_without_the_look_it_would_keep_its_thread(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "is_asked", Room().is_asked)
    rewrite(monkeypatch, driver, "_drive_on", "is_asked(session.context.priority)", "False")
    bulk, again = begin_two(company)
    assert (again, bulk.state) == (False, "completed")


def test_nothing_is_sent_before_the_commit(company: Company, worker_redis: redis.Redis) -> None:
    with transaction.atomic():
        company.start(priority=Priority.HIGH)
        assert waiting(worker_redis, "high") == []
