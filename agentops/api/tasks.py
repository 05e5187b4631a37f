"""Housekeeping of the API."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from agentops.api.idempotency import KEPT
from agentops.api.models import IdempotentAnswer


@shared_task(name="api.drop_old_answers")
def drop_old_answers() -> int:
    """Delete the answers that are kept no longer; return how many."""
    deleted, _ = IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    return deleted
