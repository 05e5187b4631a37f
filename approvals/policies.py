"""Who may decide about a call. Deny by default; a superuser is bound like everybody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import BooleanField, Case, ExpressionWrapper, Q, QuerySet, Value, When

from agentops.console.second_factor import REQUIRED
from approvals.deputies import find_place, is_deputy_of_a_part, is_left_to, may_stand_in, read_absences
from approvals.duties import PARTS
from approvals.models import Absence, ApprovalParent, ApprovalRequest
from approvals.models.requests import Factor
from approvals.seats import is_asked, is_taken, may_approve
from approvals.unready import is_unready
from identities.models import User
from identities.roles import is_auditor_now


@dataclass(frozen=True, slots=True)
class MayDecide:
    """``absence``: by which one decides, where one takes the seat of a colleague who is away."""

    allowed: bool
    code: str = ""
    detail: str = ""
    absence: Absence | None = None


def may_decide(
    actor: User, request: ApprovalRequest, *, second_factor: bool, signed: bool = True
) -> MayDecide:
    """Return whether this person may decide about this request, and if not, why and what to do.

    ``signed``: a key of theirs has signed just this decision.
    """
    if not actor.is_active or actor.kind != User.Kind.PERSON:
        return MayDecide(False, "not_a_person", "only people decide; service accounts never do")
    absences = read_absences(actor)
    rights = _read_rights(actor, request, absences)
    if rights is None:
        return MayDecide(
            False, "not_an_approver", "you were not given this tool's calls to approve: leave it to who was"
        )
    is_theirs, is_drafted, audits = rights
    if audits:
        return MayDecide(
            False, "is_an_auditor", "an auditor sees, and decides about nothing: leave it to a colleague"
        )
    if part := _find_part(actor, request) or _find_part_of_absent(request, absences):
        return part
    seat = MayDecide(True)
    if is_drafted:
        return MayDecide(
            False,
            "not_offered",
            "the agent is still at work on what this is a part of: decide once it offers that",
        )
    if request.state == ApprovalRequest.State.WAITING:
        seat = _find_seat(actor, request, absences, is_theirs=is_theirs)
    if not seat.allowed:
        return seat
    if not second_factor:
        return MayDecide(False, REQUIRED, "confirm with your second factor, then decide again")
    if request.factor == Factor.KEY and not signed:
        return MayDecide(False, "key_required", "this takes your security key: decide in the console with it")
    return seat


def _read_rights(
    actor: User, request: ApprovalRequest, absences: list[Absence]
) -> tuple[bool, bool, bool] | None:
    """Return what of somebody's rights bears on a request, in one statement; None where it is not theirs to approve.

    That is: whether they are asked now, themselves; whether nobody is asked yet; and whether they are an auditor.
    """
    theirs = may_approve(actor)
    for absence in absences:
        theirs |= is_left_to(absence)
    told = {
        "asks": ExpressionWrapper(may_approve(actor) & Q(is_asked(actor)), BooleanField()),
        "drafted": ExpressionWrapper(is_unready(), BooleanField()),
        "audits": is_auditor_now(actor),
    }
    found = ApprovalRequest.objects.filter(theirs, pk=request.pk).annotate(**told).values_list(*told).first()
    return None if found is None else (bool(found[0]), bool(found[1]), bool(found[2]))


def _find_seat(
    actor: User, request: ApprovalRequest, absences: list[Absence], *, is_theirs: bool
) -> MayDecide:
    """Return whose seat somebody takes: their own if it is asked now, else that of a colleague who is away."""
    given = list(request.decisions.filter(Q(decided_by=actor) | is_taken(actor)).select_related("decided_by"))
    if any(each.decided_by_id == actor.pk for each in given):
        return MayDecide(
            False, "decided_already", "you have decided about this: it takes somebody else's yes"
        )
    this = ApprovalRequest.objects.filter(pk=request.pk)
    taken = given[0] if given else None
    if is_theirs and taken is None:
        return MayDecide(True)
    if absence := _find_first(this, absences, may_stand_in):
        return MayDecide(True, absence=absence)
    if is_theirs and taken is not None:
        return MayDecide(
            False,
            "seat_taken",
            f"{taken.decided_by} has decided as your deputy: it takes somebody else's yes",
        )
    return MayDecide(False, "not_asked_now", f"stage {request.stage} of this asks others")


def _find_part_of_absent(request: ApprovalRequest, absences: list[Absence]) -> MayDecide | None:
    """Return the refusal of a deputy of somebody with a part: they would count as little."""
    this = ApprovalRequest.objects.filter(pk=request.pk)
    absence = _find_first(this, absences, lambda each: is_deputy_of_a_part([each]))
    if absence is None:
        return None
    detail = f"you are the deputy of {absence.absent}, who has a part in this; ask a colleague"
    return MayDecide(False, "deputy_of_a_part", detail)


def _find_first(
    this: QuerySet[ApprovalRequest], absences: list[Absence], holds: Callable[[Absence], Q]
) -> Absence | None:
    """Return the first absence of which something holds for this request."""
    if not absences:
        return None
    place: int | None = (
        this.annotate(first=find_place(absences, holds)).values_list("first", flat=True).first()
    )
    return None if place is None else absences[place]


def _find_part(actor: User, request: ApprovalRequest) -> MayDecide | None:
    """Return the refusal of somebody with a part in the run, or in one that it acts for: the nearest."""
    if own := _part_in(ApprovalRequest.objects.filter(pk=request.pk), actor):
        return MayDecide(False, PARTS[own[0]].code, PARTS[own[0]].words)
    if above := _part_in(ApprovalParent.objects.filter(request=request), actor):
        name, run, agent = above
        return MayDecide(False, PARTS[name].code_above, PARTS[name].words_above.format(run=run, agent=agent))
    return None


def _part_in(rows: QuerySet[Any], actor: User) -> tuple[str, str, str] | None:
    """Return somebody's part in these, with the run and its agent's name; Any: both models have the fields."""
    parts = Case(*(When(part.held_by(actor), then=Value(name)) for name, part in PARTS.items()))
    found = rows.annotate(part=parts).filter(part__isnull=False)
    nearest: tuple[str, str, str] | None = found.values_list("part", "subject_ref", "identity__name").first()
    return nearest
