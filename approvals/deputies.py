"""Deputies: what somebody may decide for a colleague who is away, and for whom they may not.

A deputy decides what the absent could decide themselves: not what others left to the absent, so there are no chains.
A deputy is an approver already, of some tool of the request's team: nobody makes an approver of somebody by leaving.
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.apps import apps
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from approvals.duties import has_part
from approvals.seats import approves_in_team, is_asked, is_asked_in, is_free, may_approve
from identities.roles import AUDITOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from approvals.models import Absence
    from identities.models import User


# For whom people stand in, as a request that only looks has found it; None where each look is a fresh one.
_seen: ContextVar[dict[UUID, list[Absence]] | None] = ContextVar("absences_seen", default=None)


class LookOnce:
    """Middleware: a request that changes nothing asks once for whom its person stands in; its page asks often."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        token = _seen.set({} if request.method in ("GET", "HEAD") else None)
        try:
            return self._get_response(request)
        finally:
            _seen.reset(token)


def read_absences(deputy: User, at: datetime | None = None) -> list[Absence]:
    """Return for whom somebody stands in at a time (now), the first that was declared first."""
    seen = _seen.get()
    if at is not None or seen is None:
        return _read_absences(deputy, at)
    if deputy.pk not in seen:
        seen[deputy.pk] = _read_absences(deputy, at)
    return seen[deputy.pk]


def _read_absences(deputy: User, at: datetime | None) -> list[Absence]:
    rows = apps.get_model("approvals", "Absence").objects.standing(at or timezone.now())
    return list(rows.filter(deputy=deputy).select_related("absent").order_by("declared_at", "pk"))


def is_about(absence: Absence) -> Q:
    """Return the condition that a request is of the team and the tool that an absence is about."""
    about = {"team": absence.team_id, "tool": absence.tool_id}
    return Q(**{name: pk for name, pk in about.items() if pk is not None})


def is_left_to(absence: Absence) -> Q:
    """Return the condition that a request is one of those that the absent could decide, and its deputy may see."""
    absent = absence.absent
    if not absent.is_active or absent.kind != "person" or absent.groups.filter(name=AUDITOR).exists():
        return Q(pk__in=[])
    return is_about(absence) & may_approve(absent) & approves_in_team(absence.deputy)


def may_stand_in(absence: Absence) -> Q:
    """Return the condition that a request's present stage asks the absent, whose seat nobody has taken.

    That the absent have no part in it is ``is_deputy_of_a_part``'s to say.
    """
    absent = absence.absent
    asked = is_asked(absent) if absence.group_id is None else is_asked_in(absence.group_id, absent)
    return is_left_to(absence) & Q(asked) & is_free(absent)


def is_deputy_of_a_part(absences: Iterable[Absence]) -> Q:
    """Return the condition that one of the absent has a part in a request: their deputies count as little as they."""
    parents = apps.get_model("approvals", "ApprovalParent").objects.filter(request=OuterRef("pk"))
    condition = Q(pk__in=[])
    for absence in absences:
        has_one = has_part(absence.absent)
        condition |= is_about(absence) & (has_one | Q(Exists(parents.filter(has_one))))
    return condition
