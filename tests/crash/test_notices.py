"""A worker is killed after it has sent a notice and before it has noted it: another sends it again, as the same."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from agentops.runtime import application
from approvals.models import NoticeDelivery
from approvals.notices.channels import try_channel
from tests.approvals.notices.conftest import make_channel, receiver
from tests.approvals.notices.receivers import Receiver
from tests.cast import Cast
from tests.live import worker_stack

__all__ = ["receiver"]

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PATIENCE_S = 60


def await_that(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.05)


def test_a_worker_is_killed_between_sending_and_noting(
    cast: Cast, receiver: Receiver, tmp_path: Path
) -> None:
    channel, secret = make_channel(cast, receiver.url)
    receiver.hangs = threading.Event()  # it has the message, and answers later
    with worker_stack(tmp_path) as stack:
        worker = application.spawn_worker(stack)
        delivery = try_channel(actor=cast.alice, channel=channel)
        await_that(lambda: len(receiver.posted) == 1)
        os.killpg(worker.pid, signal.SIGKILL)
        receiver.hangs.set()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert delivery.lease_until is not None, "it is claimed by who is dead"
    NoticeDelivery.objects.update(lease_until=timezone.now())  # as a minute later
    with worker_stack(tmp_path / "second") as stack:
        application.spawn_worker(stack)
        application.spawn_beat(stack)
        await_that(lambda: NoticeDelivery.objects.filter(state="sent").exists())
    first, second = receiver.posted
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.verify(secret) == second.verify(secret)
