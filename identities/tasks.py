"""Housekeeping of sign-ins."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from identities.signins import tell_refusals


@shared_task(name="identities.tell_refusals")
def tell() -> int:
    """Tell the refusals that were counted in cool-offs that are over."""
    return tell_refusals(now=timezone.now())
