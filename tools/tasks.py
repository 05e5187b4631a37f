"""Housekeeping of tools."""

from __future__ import annotations

from celery import shared_task

from tools import mirror


@shared_task(name="tools.reconcile_breakers")
def reconcile_breakers() -> int:
    """Show people where the breakers stand that nobody saw move."""
    return mirror.reconcile_breakers()
