"""Housekeeping of the ledger's tables."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import connection
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.ledger.checkpoints import take_checkpoints

logger = logging.getLogger(__name__)

MONTHS_AHEAD = 12


@shared_task(name="ledger.ensure_partitions")
def ensure_partitions() -> int:
    """Prepare the coming months; the database function runs with the owner's rights and does nothing else."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_ensure_partitions(%s)", (MONTHS_AHEAD,))
        made: int = cursor.fetchone()[0]
    return made


@shared_task(name="ledger.take_checkpoints")
def sign_heads() -> int:
    """Sign what has been written since the last checkpoint; return how many heads that were."""
    try:
        return take_checkpoints(now=timezone.now())
    except StateConflict as conflict:
        logger.error("nothing is signed on top of the ledger's last checkpoint: %s", conflict.detail)
        return 0
