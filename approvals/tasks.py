"""Housekeeping of the gate."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from approvals.services import expire_requests


@shared_task(name="approvals.expire")
def expire() -> int:
    """Expire what nobody decided in time."""
    return expire_requests(now=timezone.now())
