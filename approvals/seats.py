"""Seats: what makes somebody one of those whose yes is asked, as conditions on requests.

The list of what somebody may decide, the decision itself and what a deputy may decide ask the same conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps
from django.db.models import Exists, OuterRef, Q, QuerySet

from tools.models import ToolGroupObjectPermission, ToolUserObjectPermission

if TYPE_CHECKING:
    from approvals.models import StageGroup
    from identities.models import User

CODENAME = "approve_calls"


def may_approve(user: User) -> Q:
    """Return the condition that a request's tool was given to this person, or a group of theirs, to approve.

    A superuser's bypass does not count: who may decide is always a row that somebody granted.
    """
    return Q(tool__in=_own_tools(user).values("content_object")) | Q(
        tool__in=_tools_by_group(user).values("content_object")
    )


def approves_in_team(user: User) -> Q:
    """Return the condition that some tool of a request's team was given to this person to approve."""
    of_team = {"content_object__team": OuterRef("team")}
    return Q(Exists(_own_tools(user).filter(**of_team))) | Q(Exists(_tools_by_group(user).filter(**of_team)))


def is_asked(user: User) -> Exists:
    """Return the condition that a request's present stage is for this person: for all, or for a group of theirs."""
    return Exists(_asked_now().filter(Q(group=None) | Q(group__in=user.groups.values("pk"))))


def is_asked_in(group_id: int, user: User) -> Q:
    """Return the condition that a request's present stage asks a person as one of this group.

    It names the group; or it asks all who may approve, and the group is one of those.
    """
    given = ToolGroupObjectPermission.objects.filter(group=group_id, permission__codename=CODENAME)
    in_group = Exists(user.groups.filter(pk=group_id))
    by_name = Exists(_asked_now().filter(group=group_id))
    by_right = Exists(_asked_now().filter(group=None)) & Q(tool__in=given.values("content_object"))
    return Q(in_group) & (Q(by_name) | by_right)


def is_taken(user: User) -> Q:
    """Return the condition on decisions that one of them has taken this person's seat: theirs, or a deputy's."""
    return Q(deputy_for=user) | Q(deputy_for=None, decided_by=user)


def is_free(user: User) -> Q:
    """Return the condition that nobody has taken this person's seat in a request."""
    given = apps.get_model("approvals", "ApprovalDecision").objects.filter(request=OuterRef("pk"))
    return ~Q(Exists(given.filter(is_taken(user))))


def _asked_now() -> QuerySet[StageGroup]:
    asked: QuerySet[StageGroup] = apps.get_model("approvals", "StageGroup").objects.filter(
        request=OuterRef("pk"), place=OuterRef("stage")
    )
    return asked


def _own_tools(user: User) -> QuerySet[ToolUserObjectPermission]:
    return ToolUserObjectPermission.objects.filter(user=user, permission__codename=CODENAME)


def _tools_by_group(user: User) -> QuerySet[ToolGroupObjectPermission]:
    return ToolGroupObjectPermission.objects.filter(group__user=user, permission__codename=CODENAME)
