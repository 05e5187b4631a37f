"""Housekeeping of tools."""

from __future__ import annotations

from celery import shared_task

from tools import mirror
from tools.credentials.leasing import sweep_leases


@shared_task(name="tools.reconcile_breakers")
def reconcile_breakers() -> int:
    """Show people where the breakers stand that nobody saw move."""
    return mirror.reconcile_breakers()


@shared_task(name="tools.end_leases")
def end_leases() -> int:
    """End the credentials that nobody has ended: their worker is gone, or their target did not answer."""
    return sweep_leases()
