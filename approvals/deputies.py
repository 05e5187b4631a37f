"""Deputies: what somebody may decide for a colleague who is away, and for whom they may not.

A deputy decides what the absent could decide themselves: not what others left to the absent, so there are no chains.
A deputy is an approver already, of some tool of the request's team: nobody makes an approver of somebody by leaving.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.apps import apps
from django.db.models import Case, Exists, IntegerField, OuterRef, Q, Value, When
from django.utils import timezone

from agentops.look_once import look_once
from approvals.duties import has_part
from approvals.seats import approves_in_team, is_asked, is_asked_in, is_free, may_approve
from identities.roles import is_auditor_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from approvals.models import Absence
    from identities.models import User


def read_absences(deputy: User, at: datetime | None = None) -> list[Absence]:
    """Return for whom somebody stands in at a time (now), the first that was declared first."""
    if at is not None:
        return _read_absences(deputy, at)
    return look_once(("absences", deputy.pk), lambda: _read_absences(deputy, None))


def _read_absences(deputy: User, at: datetime | None) -> list[Absence]:
    """Read them in one statement, each with those in which the absent stand in for others themselves."""
    standing = apps.get_model("approvals", "Absence").objects.standing(at or timezone.now())
    own = Q(deputy=deputy) | Q(deputy__in=standing.filter(deputy=deputy).values("absent"))
    rows = list(standing.filter(own).select_related("absent", "deputy").order_by("declared_at", "pk"))
    found = [row for row in rows if row.deputy_id == deputy.pk]
    for absence in found:
        absence.behind = [row for row in rows if row.deputy_id == absence.absent_id]
    return found


def is_about(absence: Absence) -> Q:
    """Return the condition that a request is of the team and the tool that an absence is about."""
    about = {"team": absence.team_id, "tool": absence.tool_id}
    return Q(**{name: pk for name, pk in about.items() if pk is not None})


def is_left_to(absence: Absence) -> Q:
    """Return the condition that a request is one of those that the absent could decide, and its deputy may see."""
    absent = absence.absent
    if not absent.is_active or absent.kind != "person":
        return Q(pk__in=[])
    decides = ~Q(is_auditor_now(absent))
    return is_about(absence) & decides & may_approve(absent) & approves_in_team(absence.deputy)


def may_stand_in(absence: Absence) -> Q:
    """Return the condition that a request's present stage asks the absent, who could decide it, and whose seat is free.

    That the absent have no part in it themselves is ``is_deputy_of_a_part``'s to say of the deputy. Where they stand in
    for somebody with a part, they could not decide it, and so nobody does in their seat.
    """
    absent = absence.absent
    asked = is_asked(absent) if absence.group_id is None else is_asked_in(absence.group_id, absent)
    is_barred = is_deputy_of_a_part(absence.behind)
    return is_left_to(absence) & Q(asked) & is_free(absent) & ~is_barred


def find_place(absences: Sequence[Absence], holds: Callable[[Absence], Q]) -> Case:
    """Return the place of the first absence of which something holds, as an expression: one statement for them all."""
    cases = [When(holds(absence), then=Value(place)) for place, absence in enumerate(absences)]
    return Case(*cases, output_field=IntegerField())


def is_deputy_of_a_part(absences: Iterable[Absence]) -> Q:
    """Return the condition that one of the absent has a part in a request: their deputies count as little as they."""
    parents = apps.get_model("approvals", "ApprovalParent").objects.filter(request=OuterRef("pk"))
    condition = Q(pk__in=[])
    for absence in absences:
        has_one = has_part(absence.absent)
        condition |= is_about(absence) & (has_one | Q(Exists(parents.filter(has_one))))
    return condition
