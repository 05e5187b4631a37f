"""Suite ``webhooks``: real workers tell a receiver that spoils what it can, one that is gone and one that hangs.

Workers are killed while the receiver has a message in its hands. Nothing is lost, nothing comes under two ids, and
whoever answers well is not kept waiting by who does not.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from agentops.runtime import application
from agentops.runtime.services import Stack
from approvals.models import NoticeChannel, NoticeDelivery
from approvals.notices import delivering
from approvals.notices.channels import enable_channel, send_again
from tests.approvals.notices.conftest import make_channel
from tests.approvals.notices.receivers import Receiver, listening
from tests.approvals.notices.test_webhooks_sent import asked
from tests.cast import Cast
from tests.live import worker_stack
from tests.webhooks.unreliable import WAYS, Unreliable, unreliable

pytestmark = [pytest.mark.webhooks, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

EVENTS, KILLS, PATIENCE_S = 36, 2, 300


def await_that(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"it never came to be so: {what}"
        time.sleep(0.1)


def all_is_sent() -> bool:
    """Let the minutes between attempts pass; say whether nothing is left. What the dead have claimed is waited for."""
    NoticeDelivery.objects.filter(state="waiting", lease_until=None).update(due_at=timezone.now())
    return NoticeDelivery.objects.filter(state="sent").count() == EVENTS


def kill_who_sends(stack: Stack, receiver: Unreliable) -> None:
    """Kill the worker while the receiver holds what it sent, and start another."""
    worker = application.spawn_worker(stack)
    await_that(receiver.is_held.is_set, "the receiver has a message in its hands")
    os.killpg(worker.pid, signal.SIGKILL)
    receiver.is_held.clear()
    receiver.go_on.set()
    receiver.go_on.clear()


def test_nothing_is_lost_on_the_way_to_a_receiver_that_spoils_what_it_can(
    cast: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with unreliable() as receiver, worker_stack(tmp_path) as stack:
        _, secret = make_channel(cast, receiver.url)
        told = {str(asked(cast).pk) for _ in range(EVENTS)}
        application.spawn_beat(stack)
        for _ in range(KILLS):
            kill_who_sends(stack, receiver)
        receiver.go_on.set()  # from now on it holds nothing back
        application.spawn_worker(stack)
        await_that(all_is_sent, "all is sent")
    ids = receiver.ids_by_subject()
    assert ids.keys() == told, "nothing is lost, and nothing else was told"
    assert all(len(each) == 1 for each in ids.values()), "each under one id, however often"
    assert {posted.document["data"]["approval"] for posted in receiver.taken} == told
    assert all(posted.verify(secret) for posted in receiver.posted)
    ways = Counter(receiver.spoiled.values())
    assert set(ways) == set(WAYS), "each way to spoil one was met"
    with capsys.disabled():
        print(
            f"\nwebhooks: {EVENTS} events, {len(receiver.posted)} attempts, {KILLS} workers killed while sending, "
            f"lost 0, under two ids 0, spoiled once: {dict(ways)}"
        )


def test_who_is_gone_or_hangs_keeps_nobody_waiting_and_hears_it_later(cast: Cast, tmp_path: Path) -> None:
    with listening() as gone, listening() as hanging, listening() as good, worker_stack(tmp_path) as stack:
        gone.statuses, hanging.hangs = [410], threading.Event()
        channel, secret = make_channel(cast, gone.url, name="gone")
        make_channel(cast, hanging.url, name="hangs")
        make_channel(cast, good.url, name="good")
        told = [str(asked(cast).pk) for _ in range(EVENTS)]
        application.spawn_beat(stack)
        application.spawn_worker(stack)
        await_that(lambda: len(good.posted) == EVENTS, "who answers has heard everything")
        assert len(hanging.posted) <= delivering.AT_ONCE, "who hangs keeps no more than its places"
        await_that(lambda: is_stopped(channel), "who is gone is told no more")
        assert len(gone.posted) <= delivering.AT_ONCE
        hear_it_later(cast, channel, gone, secret)
    assert {each.document["data"]["approval"] for each in good.posted} == set(told)


def is_stopped(channel: NoticeChannel) -> bool:
    channel.refresh_from_db()
    return (channel.state, channel.disabled_because) == ("disabled", "gone")


def hear_it_later(cast: Cast, channel: NoticeChannel, gone: Receiver, secret: str) -> None:
    """Have it back, and send again what was given up."""
    gone.statuses = [204]
    enable_channel(actor=cast.alice, channel=channel)
    dead = NoticeDelivery.objects.filter(channel=channel, last_result="410")[0]
    send_again(actor=cast.alice, delivery=dead)
    name = f"msg_{dead.pk}"
    await_that(lambda: gone.ids.count(name) == 2, "it hears what was given up, under the same id")
    first, again = (each for each in gone.posted if each.headers["webhook-id"] == name)
    assert again.verify(secret) == first.verify(secret)
