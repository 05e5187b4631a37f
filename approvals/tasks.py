"""Housekeeping of the gate, and its notices."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from agentops.messages import send_now
from approvals.batches.deciding import WAKE_MANY, carry_on_unfinished
from approvals.confirmations.asking import expire_confirmations
from approvals.notices import delivering, outbox, spreading
from approvals.notices.channels import DELIVER
from approvals.services import expire_requests
from approvals.stages import escalate_requests

WAKE_LIFE_S = 60.0  # after that the sweeper has found the run
SWEPT_LIFE_S = 10.0  # while workers are behind, the same is sent round again and again


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


@shared_task(name=WAKE_MANY)
def wake_many(task: str, *refs: str) -> int:
    """Wake each of those whose requests a batch has decided; return how many the broker took."""
    return sum(send_now(task, ref, expires_s=WAKE_LIFE_S) for ref in refs)


@shared_task(name=outbox.SPREAD)
def spread_notice(notice_id: str) -> int:
    """Make a notice out to whom it concerns; return to how many now."""
    due = spreading.spread(UUID(notice_id))
    return sum(send_now(DELIVER, str(pk), expires_s=SWEPT_LIFE_S) for pk in due)


@shared_task(name=DELIVER)
def deliver_notice(delivery_id: str) -> str:
    """Send one message, and see to the next one where that was taken; return what became of it."""
    result = delivering.deliver(UUID(delivery_id))
    following = delivering.find_next(UUID(delivery_id)) if result.startswith("2") else None
    if following is not None:
        send_now(DELIVER, str(following), expires_s=SWEPT_LIFE_S)
    return result


@shared_task(name="approvals.sweep_notices")
def sweep_notices() -> int:
    """Tell of what expires soon, and send round what nobody has made out, or is due; return how much."""
    now = timezone.now()
    outbox.announce_expiring(now=now)
    late = [(outbox.SPREAD, pk) for pk in outbox.find_unspread(now)]
    due = [(DELIVER, pk) for pk in delivering.find_due(now)]
    return sum(send_now(task, str(pk), expires_s=SWEPT_LIFE_S) for task, pk in (*late, *due))


@shared_task(name="approvals.drop_notices")
def drop_notices() -> int:
    """Delete old notices; return how many rows."""
    return outbox.drop_old(timezone.now())
