"""Which approvals somebody may see and decide. The default is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q

from approvals.duties import has_part
from identities.querysets import is_known_person
from tools.models import ToolGroupObjectPermission, ToolUserObjectPermission

if TYPE_CHECKING:
    from approvals.models import (  # noqa: F401  named in strings
        ApprovalBatch,
        ApprovalRequest,
        ApprovalRule,
        DenialReasons,
        ReviewCapacity,
        SamplingRule,
    )
    from identities.models import User


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    def visible_to(self, user: User) -> Self:
        """Return the requests of a person's teams and of the tools they may approve; an application's own."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            return self.filter(application__service_account=user)
        if not is_known_person(user):
            return self.none()
        if user.is_superuser:
            return self
        return self.filter(Q(team__members=user) | may_approve(user)).distinct()

    def decidable_by(self, user: User) -> Self:
        """Return the waiting requests whose tool the person was given to approve, themselves not involved."""
        if not is_known_person(user):
            return self.none()
        parents = apps.get_model("approvals", "ApprovalParent").objects.filter(request=OuterRef("pk"))
        apart = ~Exists(parents.filter(has_part(user)))
        waiting = self.filter(apart, may_approve(user), is_asked(user), state="waiting")
        return waiting.exclude(has_part(user)).exclude(decisions__decided_by=user)


def may_approve(user: User) -> Q:
    """Return the condition that a request's tool was given to this person, or a group of theirs, to approve.

    A superuser's bypass does not count: who may decide is always a row that somebody granted.
    """
    codename = "approve_calls"
    direct = ToolUserObjectPermission.objects.filter(user=user, permission__codename=codename)
    by_group = ToolGroupObjectPermission.objects.filter(group__user=user, permission__codename=codename)
    return Q(tool__in=direct.values("content_object")) | Q(tool__in=by_group.values("content_object"))


def is_asked(user: User) -> Exists:
    """Return the condition that a request's present stage is for this person: for all, or for a group of theirs."""
    groups = apps.get_model("approvals", "StageGroup").objects.filter(
        request=OuterRef("pk"), place=OuterRef("stage")
    )
    return Exists(groups.filter(Q(group=None) | Q(group__in=user.groups.values("pk"))))


class ApprovalRuleQuerySet(models.QuerySet["ApprovalRule"]):
    def visible_to(self, user: User) -> Self:
        """Return the rules of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)

    def standing(self) -> Self:
        """Return the rules in force."""
        return self.filter(ended_at=None)


class ReviewCapacityQuerySet(models.QuerySet["ReviewCapacity"]):
    def visible_to(self, user: User) -> Self:
        """Return what a person's teams can review."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class DenialReasonsQuerySet(models.QuerySet["DenialReasons"]):
    def visible_to(self, user: User) -> Self:
        """Return the lists of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class SamplingRuleQuerySet(models.QuerySet["SamplingRule"]):
    def visible_to(self, user: User) -> Self:
        """Return the rules of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)

    def standing(self) -> Self:
        """Return the rules in force."""
        return self.filter(ended_at=None)


class ApprovalBatchQuerySet(models.QuerySet["ApprovalBatch"]):
    def visible_to(self, user: User) -> Self:
        """Return a person's own batches; a superuser's are all."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(person=user)
