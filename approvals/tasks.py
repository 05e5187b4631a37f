"""Housekeeping of the gate."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from agentops.messages import send_now
from approvals.batches.deciding import WAKE_MANY, carry_on_unfinished
from approvals.services import expire_requests
from approvals.stages import escalate_requests

WAKE_LIFE_S = 60.0  # after that the sweeper has found the run


@shared_task(name="approvals.expire")
def expire() -> int:
    """Expire what nobody decided in time, ask others where nobody has for long, take up batches that were left."""
    now = timezone.now()
    return expire_requests(now=now) + escalate_requests(now=now) + carry_on_unfinished(now=now)


@shared_task(name=WAKE_MANY)
def wake_many(task: str, *refs: str) -> int:
    """Wake each of those whose requests a batch has decided; return how many the broker took."""
    return sum(send_now(task, ref, expires_s=WAKE_LIFE_S) for ref in refs)
