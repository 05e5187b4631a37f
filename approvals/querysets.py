"""Which approvals somebody may see and decide. The default is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q

from approvals.deputies import is_deputy_of_a_part, is_left_to, may_stand_in, read_absences
from approvals.duties import has_part
from approvals.seats import is_asked, is_free, may_approve
from approvals.unready import is_unready
from identities.querysets import is_known_person
from identities.roles import is_auditor, is_auditor_now

if TYPE_CHECKING:
    from datetime import datetime

    from approvals.models import (  # noqa: F401  named in strings
        Absence,
        ApprovalBatch,
        ApprovalRequest,
        ApprovalRule,
        Confirmation,
        DenialReasons,
        MailPreference,
        NoticeChannel,
        NoticeDelivery,
        OversightRule,
        PassedRequest,
        ReviewCapacity,
        SamplingRule,
        SecondLook,
    )
    from identities.models import User


Row = TypeVar("Row", bound=models.Model)


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    def visible_to(self, user: User) -> Self:
        """Return the requests of a person's teams and of what they, or whom they stand in for, may approve; an
        application's own."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            return self.filter(application__service_account=user)
        if not is_known_person(user):
            return self.none()
        if user.is_superuser:
            return self
        # By sets and not by joins: what is joined has to be made distinct, all of it, before the first row is known.
        seen = Q(team__in=user.teams.values("pk")) | may_approve(user)
        for absence in read_absences(user):
            seen |= is_left_to(absence)
        return self.filter(seen)

    def put_to_people(self) -> Self:
        """Return those that wait for people: what belongs to a draft is asked once that is finished."""
        return self.filter(state="waiting").exclude(is_unready())

    def decidable_by(self, user: User, *, as_deputy: bool = True) -> Self:
        """Return the waiting requests whose tool the person was given to approve, themselves not involved.

        ``as_deputy``: those too that they may decide for somebody who is away.
        """
        if not is_known_person(user):
            return self.none()
        parents = apps.get_model("approvals", "ApprovalParent").objects.filter(request=OuterRef("pk"))
        apart = ~Exists(parents.filter(has_part(user))), ~is_auditor_now(user)
        absences = read_absences(user)
        seats = may_approve(user) & Q(is_asked(user)) & is_free(user)
        for absence in absences if as_deputy else ():
            seats |= may_stand_in(absence)
        waiting = self.put_to_people().filter(seats, *apart).exclude(has_part(user))
        if absences:
            waiting = waiting.exclude(is_deputy_of_a_part(absences))
        return waiting.exclude(decisions__decided_by=user)


class AbsenceQuerySet(models.QuerySet["Absence"]):
    def visible_to(self, user: User) -> Self:
        """Return one's own absences and deputyships, and those of the people on a person's teams."""
        if not is_known_person(user):
            return self.none()
        if user.is_superuser:
            return self
        teams = user.teams.values("pk")
        of_team = Q(team__in=teams) | Q(team=None, absent__teams__in=teams)
        return self.filter(Q(absent=user) | Q(deputy=user) | of_team).distinct()

    def standing(self, at: datetime) -> Self:
        """Return those that count at a time."""
        return self.filter(ended_at=None, begins_at__lte=at, ends_at__gt=at)


class OfTeamQuerySet(models.QuerySet[Row]):
    """Rows that belong to a team."""

    def visible_to(self, user: User) -> Self:
        """Return those of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class StandingQuerySet(OfTeamQuerySet[Row]):
    """Rules of a team, each in force until it is ended."""

    def standing(self) -> Self:
        """Return the rules in force."""
        return self.filter(ended_at=None)


class ApprovalRuleQuerySet(StandingQuerySet["ApprovalRule"]):
    """Whose yes calls take."""


class SamplingRuleQuerySet(StandingQuerySet["SamplingRule"]):
    """How much of a crowd is opened."""


class OversightRuleQuerySet(StandingQuerySet["OversightRule"]):
    """How the people of a team are watched over."""


class PassedRequestQuerySet(models.QuerySet["PassedRequest"]):
    def visible_to(self, user: User) -> Self:
        """Return those at requests that the person may see."""
        requests = apps.get_model("approvals", "ApprovalRequest").objects.visible_to(user)
        return self.filter(request__in=requests.values("pk"))

    def standing(self, at: datetime) -> Self:
        """Return those whose people rest at a time, of what waits still."""
        return self.filter(until__gt=at, request__state="waiting")


class SecondLookQuerySet(models.QuerySet["SecondLook"]):
    def visible_to(self, user: User) -> Self:
        """Return those at requests that the person may see."""
        requests = apps.get_model("approvals", "ApprovalRequest").objects.visible_to(user)
        return self.filter(request__in=requests.values("pk"))

    def open_to(self, user: User) -> Self:
        """Return those that this person may take afterwards: of a call that they may approve and have no part in,
        neither by deciding nor otherwise."""
        if not is_known_person(user) or is_auditor(user):
            return self.none()
        requests = apps.get_model("approvals", "ApprovalRequest").objects
        parents = apps.get_model("approvals", "ApprovalParent").objects.filter(request=OuterRef("pk"))
        decisions = apps.get_model("approvals", "ApprovalDecision").objects.filter(request=OuterRef("pk"))
        theirs = requests.filter(
            may_approve(user),
            ~Exists(parents.filter(has_part(user))),
            ~Exists(decisions.filter(Q(decided_by=user) | Q(deputy_for=user))),
        ).exclude(has_part(user))
        return self.filter(request__in=theirs.values("pk"), seen_at=None, stage=None)


class ReviewCapacityQuerySet(OfTeamQuerySet["ReviewCapacity"]):
    """What people can review."""


class DenialReasonsQuerySet(OfTeamQuerySet["DenialReasons"]):
    """Lists of ready-made reasons."""


class ConfirmationQuerySet(models.QuerySet["Confirmation"]):
    def visible_to(self, user: User) -> Self:
        """Return what users of an application are asked, for its own account; for people that of their teams."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            return self.filter(application__service_account=user)
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class ApprovalBatchQuerySet(models.QuerySet["ApprovalBatch"]):
    def visible_to(self, user: User) -> Self:
        """Return a person's own batches; a superuser's are all."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(person=user)


class NoticeChannelQuerySet(models.QuerySet["NoticeChannel"]):
    def visible_to(self, user: User) -> Self:
        """Return the channels of a person's teams; an application's own."""
        there = self.exclude(state="removed")
        if user.is_authenticated and user.is_active and user.kind == "application":
            return there.filter(application__service_account=user)
        if not is_known_person(user):
            return self.none()
        return there if user.is_superuser else there.filter(team__members=user)


class DeliveryQuerySet(models.QuerySet["NoticeDelivery"]):
    def visible_to(self, user: User) -> Self:
        """Return the deliveries to channels that somebody may see, and those to themselves."""
        channels = apps.get_model("approvals", "NoticeChannel").objects.visible_to(user)
        own = Q(person=user) if is_known_person(user) else Q(pk__in=[])
        return self.filter(own | Q(channel__in=channels.values("pk")))


class MailPreferenceQuerySet(models.QuerySet["MailPreference"]):
    def visible_to(self, user: User) -> Self:
        """Return one's own, superusers included: an address is nobody else's business."""
        return self.filter(user=user) if is_known_person(user) else self.none()
