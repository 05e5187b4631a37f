"""Signing in is an act of governance: it is on the record.

Refusals are counted, and told once per account, address and cool-off: whoever knows a name could fill the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from axes.helpers import get_client_ip_address
from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from agentops.canonical import keyed_digest
from agentops.console.sign_on import signed_on_at
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.strangers import client_network
from identities.models import RefusedSignIns, RefusedTokenRequests, User

# Refused sign-ons that proved nobody known are told here: a stream of the installation.
STRANGERS = UUID("00000000-0000-7000-8000-7369676e6f6e")

Counted = TypeVar("Counted", RefusedSignIns, RefusedTokenRequests)


@receiver(user_logged_in)
def record_sign_in(user: User, request: HttpRequest | None = None, **_: Any) -> None:
    """Note who signed in, on the account's own stream, and how many refusals no entry has told yet."""
    with transaction.atomic():
        counted = list(
            RefusedSignIns.objects.select_for_update().filter(user=user, untold__gt=0).order_by("pk")
        )
        untold = sum(row.untold for row in counted)
        RefusedSignIns.objects.filter(pk__in=[row.pk for row in counted]).update(untold=0)
        facts: dict[str, Any] = {"refused_before": untold} if untold else {}
        if request is not None and (issuer := signed_on_at(request)):
            facts["issuer"] = issuer
        record(user.pk, "person", Draft("person.signed_in", timezone.now(), facts, actor=user.pk))


@receiver(user_login_failed)
def record_refusal(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Count that a sign-in as a known person was refused; an unknown name is nobody's stream."""
    user = User.objects.filter(username=credentials.get("username"), kind=User.Kind.PERSON).first()
    if user is not None:
        _count(user, digest_address(request), reason="")


def record_refused_sign_on(request: HttpRequest, reason: str, person: User | None) -> None:
    """Count that an identity provider's answer was refused; where it proved nobody, nobody known is told of."""
    _count(person, digest_address(request), reason=reason[:48])


def _count(user: User | None, address: str, *, reason: str) -> None:
    now = timezone.now()
    with transaction.atomic():
        row, is_new = RefusedSignIns.objects.select_for_update().get_or_create(
            user=user, address=address, reason=reason, defaults={"told_at": now}
        )
        row.untold += 1
        if is_new or row.told_at <= now - cool_off():
            _tell(row, now)
        row.save()


def tell_refusals(*, now: datetime, limit: int = 200) -> int:
    """Tell what was counted in cool-offs that are over, and forget those in which nothing was; return how many."""
    return tell_due(RefusedSignIns, _tell, now, limit)


def tell_due(
    counters: type[Counted], tell: Callable[[Counted, datetime], None], now: datetime, limit: int
) -> int:
    """Tell, or forget, the counters of one kind whose cool-off is over; return how many."""
    with transaction.atomic():
        over = counters._default_manager.filter(told_at__lte=now - cool_off()).order_by("told_at")
        due = list(over.select_for_update(skip_locked=True)[:limit])
        for row in due:
            if row.untold:
                tell(row, now)
                row.save()
            else:
                row.delete()
    return len(due)


def cool_off() -> timedelta:
    """Return how long a lock lasts, and so the time in which one entry tells of one address."""
    return timedelta(hours=settings.AXES_COOLOFF_TIME)


def _tell(row: RefusedSignIns, now: datetime) -> None:
    facts = {"times": row.untold, "address": row.address}
    if row.reason:
        facts["reason"] = row.reason
    if row.user_id is None:
        record(STRANGERS, "sign_on", Draft("sign_on.refused", now, facts))
    else:
        record(row.user_id, "person", Draft("person.sign_in_refused", now, facts))
    row.told_at, row.untold = now, 0


def digest_address(request: HttpRequest | None) -> str:
    """Return what stands for the client's address where addresses are not kept."""
    return keyed_digest(client_network(get_client_ip_address(request) or "") if request else "")
