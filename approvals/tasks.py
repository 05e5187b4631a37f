"""Housekeeping of the gate."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from approvals.services import expire_requests
from approvals.stages import escalate_requests


@shared_task(name="approvals.expire")
def expire() -> int:
    """Expire what nobody decided in time, and ask others where nobody has for long enough."""
    now = timezone.now()
    return expire_requests(now=now) + escalate_requests(now=now)
