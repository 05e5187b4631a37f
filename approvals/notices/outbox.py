"""The outbox: a notice is written with what it tells, and made out to everybody concerned afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q, prefetch_related_objects
from django.db.models.functions import Least
from django.utils import timezone

from agentops.amounts import plain_decimal
from agentops.identifiers import new_id
from agentops.messages import send_after_commit
from approvals.models import ApprovalRequest, MailPreference, Notice, NoticeChannel, NoticeDelivery
from approvals.notices.approving import EXPIRING
from approvals.notices.kinds import find_kind
from identities.models import Application, Team

SOON = timedelta(minutes=5)  # or half of the time there was, where that is less
SPREAD = "approvals.spread_notice"
FEW = 20  # notices of one act that are sent for at once; more are left to the sweeper

Facts = dict[str, Any]  # Any: JSON


def announce(
    requests: Sequence[ApprovalRequest], kind: str, now: datetime, more: Facts | None = None
) -> None:
    """Write down what has become of requests, in the caller's transaction; nothing where nobody wants to know."""
    listened = _find_wanted(requests, kind) if requests else ()
    wanted = [request for request in requests if request.pk in listened]
    if not wanted:
        return
    prefetch_related_objects(wanted, "tool", "identity", "team")
    _write(
        Notice(
            key=_key_of(request, kind, more or {}), team_id=request.team_id, application_id=request.application_id,
            request=request, kind=kind, subject=request.pk, facts={**_facts_of(request), **(more or {})}, at=now,
        )
        for request in wanted
    )  # fmt: skip


def tell_application(
    application: Application,
    kind: str,
    body: Mapping[str, Any],
    *,
    key: str = "",
    subject: UUID | None = None,
) -> None:
    """Tell an application something by signed webhook, in the caller's transaction, where it wants to know.

    ``body`` is what the receiver gets as ``data``: ids, codes and amounts, nothing personal or secret, for it is kept
    as it is; what else the application has to know it asks for with its own key. What has the same ``key`` is told
    once. Raises KeyError for a kind that nobody has registered.
    """
    whose = Q(application=application)
    if not find_kind(kind).for_applications_only:
        whose |= Q(application=None, team=application.team_id)
    if not _channels(kind).filter(whose).exists():
        return
    made = Notice(
        key=f"{kind}:{key or new_id()}", team_id=application.team_id, application=application, kind=kind,
        subject=subject, facts=dict(body), at=timezone.now(),
    )  # fmt: skip
    _write([made])


def tell_team(
    team: Team, kind: str, facts: Mapping[str, Any], *, key: str, subject: UUID | None = None
) -> None:
    """Tell a team's channels, and its people who can do something about it, in the caller's transaction.

    ``facts`` are codes and counts. What has the same ``key`` is told once. Raises KeyError for an unknown kind.
    """
    find_kind(kind)
    by_mail = can_mail() and MailPreference.objects.filter(kinds__contains=[kind]).exists()
    if by_mail or _channels(kind).filter(team=team, application=None).exists():
        _write(
            [
                Notice(
                    key=f"{kind}:{key}",
                    team=team,
                    kind=kind,
                    subject=subject,
                    facts=dict(facts),
                    at=timezone.now(),
                )
            ]
        )


def _write(notices: Iterable[Notice]) -> None:
    """Write notices, of which one that is there already is told already."""
    made = Notice.objects.bulk_create(notices, ignore_conflicts=True)
    for notice in made[:FEW]:
        send_after_commit(SPREAD, str(notice.pk))


def _channels(kind: str) -> Any:  # Any: a queryset
    return NoticeChannel.objects.filter(state=NoticeChannel.State.ACTIVE, kinds__contains=[kind])


def _find_wanted(requests: Sequence[ApprovalRequest], kind: str) -> set[UUID]:
    """Return those that somebody wants to be told of."""
    if can_mail() and MailPreference.objects.filter(kinds__contains=[kind]).exists():
        return {request.pk for request in requests}
    teams = {request.team_id for request in requests}
    listening = set(_channels(kind).filter(team__in=teams).values_list("team", "application"))
    return {
        request.pk
        for request in requests
        if {(request.team_id, None), (request.team_id, request.application_id)} & listening
    }


def can_mail() -> bool:
    """Return whether there is a sender, and so a mail server."""
    return bool(settings.MAIL_FROM)


def _key_of(request: ApprovalRequest, kind: str, more: Facts) -> str:
    return f"{request.pk}:{kind}:{request.stage}:{more.get('due_at', '')}"


def _facts_of(request: ApprovalRequest) -> Facts:
    return {
        "approval": str(request.pk),
        "state": request.state,
        "stage": request.stage,
        "team": request.team.slug,
        "agent": request.identity.slug,
        "tool": request.tool.name,
        "effect": request.effect,
        "amount": None if request.amount is None else plain_decimal(request.amount),
        "currency": request.currency,
        "expires_at": request.expires_at.isoformat(),
    }


def announce_expiring(*, now: datetime, limit: int = 200) -> int:
    """Tell of what expires soon, of each request once; return of how many."""
    half = ExpressionWrapper((F("expires_at") - F("created_at")) / 2, output_field=DurationField())
    waiting = ApprovalRequest.objects.filter(state="waiting", expires_at__gt=now)
    soon = waiting.filter(expires_at__lte=now + Least(SOON, half)).exclude(notices__kind=EXPIRING)
    if not (can_mail() and MailPreference.objects.filter(kinds__contains=[EXPIRING]).exists()):
        soon = soon.filter(team__in=_channels(EXPIRING).values("team"))
    with transaction.atomic():
        due = list(soon.order_by("expires_at").select_for_update(skip_locked=True, of=("self",))[:limit])
        announce(due, EXPIRING, now)
    return len(due)


def find_unspread(now: datetime, limit: int = 200) -> list[UUID]:
    """Return notices that nobody has made out yet; those that were written just now are on their way."""
    late = Notice.objects.filter(spread_at=None, at__lte=now - timedelta(seconds=1)).order_by("at")
    return list(late.values_list("pk", flat=True)[:limit])


def drop_old(now: datetime) -> int:
    """Delete notices of the past that are delivered or were given up, and tests; return how many rows."""
    before = now - timedelta(days=settings.NOTICES_KEPT_DAYS)
    waiting = NoticeDelivery.objects.filter(state="waiting", notice__isnull=False)
    old = Notice.objects.filter(at__lt=before, spread_at__isnull=False).exclude(
        pk__in=waiting.values("notice")
    )
    tests = NoticeDelivery.objects.filter(notice=None, created_at__lt=before)
    return old.delete()[0] + tests.delete()[0]
