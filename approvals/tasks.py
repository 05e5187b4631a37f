"""Housekeeping of the gate."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from agentops.messages import send_now
from approvals.batches.deciding import WAKE_MANY, carry_on_unfinished
from approvals.confirmations import telling
from approvals.confirmations.asking import TELL, expire_confirmations
from approvals.services import expire_requests
from approvals.stages import escalate_requests

WAKE_LIFE_S = 60.0  # after that the sweeper has found the run


@shared_task(name="approvals.expire")
def expire() -> int:
    """Expire what nobody decided in time, ask others where nobody has for long, take up batches that were left."""
    now = timezone.now()
    return (
        expire_confirmations(now=now)
        + expire_requests(now=now)
        + escalate_requests(now=now)
        + carry_on_unfinished(now=now)
    )


@shared_task(name=TELL)
def tell_application(confirmation: str) -> bool:
    """Tell an application that a user of its is asked something."""
    return telling.tell_application(UUID(confirmation))


@shared_task(name="approvals.tell_applications")
def tell_applications() -> int:
    """Tell what was not told, or not taken, when it was due."""
    return telling.tell_due(now=timezone.now())


@shared_task(name=WAKE_MANY)
def wake_many(task: str, *refs: str) -> int:
    """Wake each of those whose requests a batch has decided; return how many the broker took."""
    return sum(send_now(task, ref, expires_s=WAKE_LIFE_S) for ref in refs)
