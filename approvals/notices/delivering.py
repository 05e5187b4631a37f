"""Delivering: each message at least once, under one id, on a schedule that gives a receiver a few days.

A delivery is claimed for a while by a conditional update. Whoever is killed between sending and noting leaves it
claimed: when that time is over it is sent again, under the same id.

A channel has few attempts under way, and one whose receiver fails has one: a receiver that hangs costs each of them
its whole time, and there are only so many places to wait in.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import uniform
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from approvals.models import NoticeChannel, NoticeDelivery
from approvals.notices.channel_health import note_answered, note_failed
from approvals.notices.letters import claim_letter, write_letter
from approvals.notices.posting import NoPlace, NotPosted
from approvals.notices.sending import send_to_channel

# Seconds from one attempt to the next, as Standard Webhooks proposes; after the last one it is given up.
DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.2  # of a delay, at most: what failed together is not tried again together
LEASE = timedelta(seconds=60)  # longer than an attempt may take
AT_ONCE = 2  # attempts of a channel whose receiver answers
State = NoticeDelivery.State
logger = logging.getLogger(__name__)
FINAL = {"410": State.DEAD, "channel_disabled": State.DEAD, "not_wanted": State.DROPPED}


def find_due(now: datetime, limit: int = 50) -> list[UUID]:
    """Return deliveries whose time has come: one of each channel and person, so that a slow one delays its own only."""
    busy = NoticeDelivery.objects.filter(
        channel=OuterRef("channel"), state=State.WAITING, lease_until__gt=now
    )
    due = _free(now).exclude(Exists(busy)).order_by("channel_id", "person_id", "due_at")
    of_each = due.distinct("channel_id", "person_id").values("pk")
    oldest = NoticeDelivery.objects.filter(pk__in=of_each).order_by("due_at")
    return list(oldest.values_list("pk", flat=True)[:limit])


def find_next(delivery_id: UUID) -> UUID | None:
    """Return what is due next to the same channel: one that answers again gets what has waited, one by one."""
    same = NoticeDelivery.objects.filter(pk=delivery_id, channel__isnull=False).values("channel")
    following = _free(timezone.now()).filter(channel__in=same).order_by("due_at")
    return following.values_list("pk", flat=True).first()


def deliver(delivery_id: UUID) -> str:
    """Send one message if it is due and nobody else has it; return what became of it, empty where nothing was done."""
    now = timezone.now()
    delivery = _free(now).select_related("notice", "channel", "person").filter(pk=delivery_id).first()
    if delivery is None:
        return ""
    if delivery.person is not None:
        claimed = claim_letter(delivery.person, delivery, _free(now), now + LEASE)
    else:
        claimed = [delivery] if delivery.channel and _claim(delivery, delivery.channel, now) else []
    return _attempt(claimed, now + LEASE) if claimed else ""


def _free(now: datetime) -> QuerySet[NoticeDelivery]:
    free = Q(lease_until=None) | Q(lease_until__lte=now)
    return NoticeDelivery.objects.filter(free, state=State.WAITING, due_at__lte=now)


@transaction.atomic
def _claim(delivery: NoticeDelivery, channel: NoticeChannel, now: datetime) -> bool:
    """Claim a message of a channel, one claim after another; what finds no room is taken up behind those under way."""
    locked = NoticeChannel.objects.select_for_update(of=("self",)).get(pk=channel.pk)
    under_way = NoticeDelivery.objects.filter(
        channel=channel, state=State.WAITING, lease_until__gt=now
    ).count()
    if under_way >= (1 if locked.failures else AT_ONCE):
        return False
    row = NoticeDelivery.objects.filter(pk=delivery.pk, state=State.WAITING, lease_until=delivery.lease_until)
    return bool(row.update(lease_until=now + LEASE, attempts=F("attempts") + 1))


def _attempt(claimed: Sequence[NoticeDelivery], lease: datetime) -> str:
    """Send what was claimed, and note what became of it, unless its time was over and somebody else has it."""
    first = claimed[0]
    mine = NoticeDelivery.objects.filter(
        pk__in=[each.pk for each in claimed], state=State.WAITING, lease_until=lease
    )
    try:
        result = write_letter(claimed) if first.channel is None else send_to_channel(first, first.channel)
    except NoPlace:
        mine.update(lease_until=None, attempts=F("attempts") - 1)
        return ""
    except NotPosted as refusal:
        _note_failure(first, mine, refusal.result)
        return refusal.result
    except (
        Exception
    ) as error:  # a boundary: what is wrong with one message holds no other up, and ends some day
        fault = type(error).__name__[:48]
        logger.error("notice %s was not sent: %s", first.pk, fault)
        _note_failure(first, mine, fault)
        return fault
    mine.update(state=State.SENT, last_result=result, lease_until=None, ended_at=timezone.now())
    if first.channel is not None:
        note_answered(first.channel)
    return result


def _note_failure(delivery: NoticeDelivery, mine: QuerySet[NoticeDelivery], result: str) -> None:
    now, tried = timezone.now(), delivery.attempts  # attempts before this one
    if delivery.channel is not None:
        note_failed(delivery.channel, result, now)
    if result in FINAL or tried >= len(DELAYS_S):
        mine.update(state=FINAL.get(result, State.DEAD), last_result=result, lease_until=None, ended_at=now)
        return
    wait = DELAYS_S[tried] * uniform(1, 1 + JITTER)  # noqa: S311  spreads load, protects nothing
    mine.update(due_at=now + timedelta(seconds=wait), last_result=result, lease_until=None)
