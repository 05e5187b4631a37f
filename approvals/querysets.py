"""Which approvals somebody may see and decide. The default is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from identities.models import STAFF_ISSUER
from identities.querysets import is_known_person
from tools.models import ToolGroupObjectPermission, ToolUserObjectPermission

if TYPE_CHECKING:
    from approvals.models import ApprovalRequest  # noqa: F401  named in strings
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
        involved = Q(identity__owner=user) | Q(owner=user) | Q(requested_by=user)
        involved |= Q(principal__issuer=STAFF_ISSUER, principal__subject=user.get_username())
        return self.filter(may_approve(user), state="waiting").exclude(involved)


def may_approve(user: User) -> Q:
    """Return the condition that a request's tool was given to this person, or a group of theirs, to approve.

    A superuser's bypass does not count: who may decide is always a row that somebody granted.
    """
    codename = "approve_calls"
    direct = ToolUserObjectPermission.objects.filter(user=user, permission__codename=codename)
    by_group = ToolGroupObjectPermission.objects.filter(group__user=user, permission__codename=codename)
    return Q(tool__in=direct.values("content_object")) | Q(tool__in=by_group.values("content_object"))
