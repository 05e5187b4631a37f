"""To whom a notice goes: the channels that want its kind, and the people whom it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from approvals.deputies import is_about
from approvals.models import Absence, ApprovalRequest, Notice, NoticeChannel, NoticeDelivery, PassedRequest
from approvals.notices.approving import ESCALATED, EXPIRING, FOR_WHO_DECIDES, PASSED_ON
from approvals.notices.kinds import Kind, find_kind
from approvals.notices.outbox import can_mail
from approvals.seats import CODENAME
from identities.models import User
from identities.policies import may_govern
from tools.models import ToolGroupObjectPermission, ToolUserObjectPermission


@transaction.atomic
def spread(notice_id: UUID) -> list[UUID]:
    """Make a notice out to everybody whom it concerns, once; return the deliveries."""
    unspread = Notice.objects.select_for_update(of=("self",), skip_locked=True).filter(spread_at=None)
    notice = unspread.select_related("request").filter(pk=notice_id).first()
    if notice is None:
        return []
    now = timezone.now()
    made = [
        NoticeDelivery(notice=notice, channel=channel, created_at=now, due_at=now)
        for channel in _channels(notice)
    ]
    made += [
        NoticeDelivery(notice=notice, person=person, created_at=now, due_at=_due_at(person, now))
        for person in _people(notice, now)
    ]
    NoticeDelivery.objects.bulk_create(made)
    notice.spread_at = now
    notice.save(update_fields=["spread_at"])
    return [delivery.pk for delivery in made if delivery.due_at <= now]


def _channels(notice: Notice) -> Iterable[NoticeChannel]:
    """Return the team's channels, and those of the application whose run it is, unless it was revoked."""
    of_application = Q(application=notice.application_id, application__state="active")
    whose = of_application if notice.application_id else Q(pk__in=[])
    if not find_kind(notice.kind).for_applications_only:
        whose |= Q(application=None)
    active = NoticeChannel.objects.filter(team=notice.team_id, state="active", kinds__contains=[notice.kind])
    return active.filter(whose)


def _due_at(person: User, now: datetime) -> datetime:
    """Return when somebody is to be written to: at once, or when the time since their last letter is over."""
    window = timedelta(seconds=settings.NOTICES_MAIL_WINDOW_S)
    letters = NoticeDelivery.objects.filter(person=person, letter__isnull=False).order_by("-created_at")
    last = letters.values_list("ended_at", flat=True).first() if letters.exists() else now - window
    return max(now, (last or now) + window)  # one that is under way counts as sent now


def _people(notice: Notice, now: datetime) -> Iterator[User]:
    request, kind = notice.request, find_kind(notice.kind)
    if not can_mail() or not kind.by_mail:
        return
    if kind.permission:
        yield from _holders(notice, kind)
        return
    if request is None:
        return
    for person in _candidates(notice, request).filter(mail_preference__kinds__contains=[notice.kind]):
        if _concerns(notice, request, person, now):
            yield person


def _holders(notice: Notice, kind: Kind) -> Iterator[User]:
    """Return the people of the team who can do something about it, and want to be told."""
    people = notice.team.members.filter(is_active=True, mail_preference__kinds__contains=[kind.name])
    yield from (person for person in people if may_govern(person, kind.permission, notice.team).allowed)


def _candidates(notice: Notice, request: ApprovalRequest) -> QuerySet[User]:
    """Return who may be concerned: a few, each of whom is then asked about exactly."""
    people = User.objects.filter(kind=User.Kind.PERSON, is_active=True)
    if notice.kind not in FOR_WHO_DECIDES:
        told = NoticeDelivery.objects.filter(notice__request=request, person__isnull=False)
        concerned = Q(pk__in=told.values("person")) | Q(pk=request.requested_by_id)
        return people.filter(concerned | Q(pk__in=request.decisions.values("decided_by")))
    given = {"content_object": request.tool_id, "permission__codename": CODENAME}
    own = ToolUserObjectPermission.objects.filter(**given).values("user")
    groups = ToolGroupObjectPermission.objects.filter(**given).values("group")
    deputies = Absence.objects.standing(timezone.now()).values("deputy")
    return people.filter(Q(pk__in=own) | Q(groups__in=groups) | Q(pk__in=deputies)).distinct()


def _concerns(notice: Notice, request: ApprovalRequest, person: User, now: datetime) -> bool:
    """Whether somebody is to be told: who can decide now and is there; at the end, who may still see it."""
    row = ApprovalRequest.objects.filter(pk=request.pk)
    if notice.kind not in FOR_WHO_DECIDES:
        return row.visible_to(person).exists()
    if not row.decidable_by(person).exists() or is_away(person, request, now):
        return False
    if notice.kind == PASSED_ON:
        return not PassedRequest.objects.filter(request=request, person=person, until__gt=now).exists()
    return notice.kind != ESCALATED or not _was_told(notice, request, person)


def is_away(person: User, request: ApprovalRequest, now: datetime) -> bool:
    """Return whether somebody has left a request to a deputy: then the deputy is told in their place."""
    absences = Absence.objects.standing(now).filter(absent=person, group=None)
    return any(ApprovalRequest.objects.filter(is_about(each), pk=request.pk).exists() for each in absences)


def _was_told(notice: Notice, request: ApprovalRequest, person: User) -> bool:
    """Return whether somebody was asked in this stage already: an escalation is news for the others."""
    asked = [kind for kind in FOR_WHO_DECIDES if kind != EXPIRING]
    before = NoticeDelivery.objects.filter(notice__request=request, notice__kind__in=asked, person=person)
    return before.filter(notice__facts__stage=notice.facts["stage"]).exists()
