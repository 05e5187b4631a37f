"""Which runs and agent versions somebody may see. The default is nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db import models
from django.db.models import Q
from django.utils import timezone

from identities.querysets import is_known_person

if TYPE_CHECKING:
    from identities.models import User
    from runs.models import (  # noqa: F401  named in strings
        AgentVersion,
        Campaign,
        ChangeSet,
        DeadLetter,
        Evaluation,
        EvaluationSet,
        Example,
        Extension,
        Handover,
        Memory,
        Run,
        Schedule,
        Stop,
    )


# No window is longer, and no driver that late.
LONGEST_HELD = timedelta(days=14)


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: User) -> Self:
        """Return the runs of a person's teams, or those that this application started."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            return self.filter(application__service_account=user)
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)

    def holding(self) -> Self:
        """Return the runs with a call that is held before it goes out, for people to veto it."""
        calls = apps.get_model("runs", "ToolCall").objects.filter(
            held_until__gt=timezone.now() - LONGEST_HELD, state="held"
        )
        return self.filter(pk__in=calls.values("run"))

    def undoing(self, run: Run) -> Self:
        """Return the undos of a run, the first one first."""
        return self.filter(undoes=run).order_by("id")


class ChangeSetQuerySet(models.QuerySet["ChangeSet"]):
    def visible_to(self, user: User) -> Self:
        """Return the change sets of the runs that somebody may see."""
        return self.filter(run__in=apps.get_model("runs", "Run").objects.visible_to(user).order_by())

    def waiting(self) -> Self:
        """Return what waits for review, the oldest first."""
        return self.filter(state="offered").order_by("offered_at", "id")


class AgentVersionQuerySet(models.QuerySet["AgentVersion"]):
    def visible_to(self, user: User) -> Self:
        """Return the versions of the agents of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(identity__team__members=user)


# A run that is being cancelled or has ended goes on with nobody's answer.
WAITED_FOR = Q(answered_at=None) & ~Q(
    run__state__in=("cancelling", "completed", "halted", "failed", "cancelled", "expired")
)


class HandoverQuerySet(models.QuerySet["Handover"]):
    def visible_to(self, user: User) -> Self:
        """Return the conversations of the runs that somebody may see."""
        return self.filter(run__in=apps.get_model("runs", "Run").objects.visible_to(user))

    def open(self) -> Self:
        """Return the conversations whose run still waits for a person's answer."""
        return self.filter(WAITED_FOR)

    def closed(self) -> Self:
        """Return the conversations that were answered, or that nobody waits for any more."""
        return self.exclude(WAITED_FOR)


class ExtensionQuerySet(models.QuerySet["Extension"]):
    def visible_to(self, user: User) -> Self:
        """Return what the runs ask that somebody may see."""
        return self.filter(run__in=apps.get_model("runs", "Run").objects.visible_to(user))

    def open(self) -> Self:
        """Return those that wait for a person, of runs that still go."""
        gone = Q(run__state__in=("cancelling", "completed", "halted", "failed", "cancelled", "expired"))
        return self.filter(state="waiting").exclude(gone)


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    def visible_to(self, user: User) -> Self:
        """Return those of the runs that somebody may see."""
        return self.filter(run__in=apps.get_model("runs", "Run").objects.visible_to(user).order_by())

    def parked(self) -> Self:
        """Return those that wait for a person."""
        return self.filter(state="parked")


class MemoryQuerySet(models.QuerySet["Memory"]):
    def visible_to(self, user: User) -> Self:
        """Return those that were written in the runs that somebody may see."""
        return self.filter(run__in=apps.get_model("runs", "Run").objects.visible_to(user).order_by())

    def quarantined(self) -> Self:
        """Return those that wait for a person's word."""
        return self.filter(state="quarantined", expires_at__gt=timezone.now())


class StopQuerySet(models.QuerySet["Stop"]):
    def visible_to(self, user: User) -> Self:
        """Return the stops of a person's teams, their own, and those that concerned everybody."""
        if not is_known_person(user):
            return self.none()
        theirs = Q(team__members=user) | Q(stopped_by=user) | Q(scope__in=("provider", "everything"))
        return self if user.is_superuser else self.filter(theirs).distinct()


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def visible_to(self, user: User) -> Self:
        """Return the campaigns of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def visible_to(self, user: User) -> Self:
        """Return the schedules of a person's teams, or those that this application has set."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            return self.filter(owner=user)
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)

    def due(self, now: datetime) -> Self:
        """Return those whose time has come, the longest due first."""
        return self.filter(state="active", starts_at__lte=now).order_by("starts_at", "id")


class EvaluationSetQuerySet(models.QuerySet["EvaluationSet"]):
    def visible_to(self, user: User) -> Self:
        """Return the sets of the agents of a person's teams, those that were dropped left out."""
        if not is_known_person(user):
            return self.none()
        standing = self.filter(dropped_at=None)
        return standing if user.is_superuser else standing.filter(identity__team__members=user)


class EvaluationQuerySet(models.QuerySet["Evaluation"]):
    def visible_to(self, user: User) -> Self:
        """Return the evaluations of the agents of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(evaluation_set__identity__team__members=user)


class ExampleQuerySet(models.QuerySet["Example"]):
    def visible_to(self, user: User) -> Self:
        """Return those of the runs that a person may see."""
        if not is_known_person(user):
            return self.none()
        return self.filter(run__in=apps.get_model("runs", "Run").objects.visible_to(user).order_by())
