"""Who may decide about a call. Deny by default; a superuser is bound like everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, QuerySet, Value, When

from agentops.console.second_factor import REQUIRED
from approvals.duties import PARTS
from approvals.models import ApprovalParent, ApprovalRequest
from approvals.models.requests import Factor
from approvals.querysets import is_asked, may_approve
from identities.models import User
from identities.roles import is_auditor


@dataclass(frozen=True, slots=True)
class MayDecide:
    allowed: bool
    code: str = ""
    detail: str = ""


def may_decide(
    actor: User, request: ApprovalRequest, *, second_factor: bool, signed: bool = True
) -> MayDecide:
    """Return whether this person may decide about this request, and if not, why and what to do.

    ``signed``: a key of theirs has signed just this decision.
    """
    if not actor.is_active or actor.kind != User.Kind.PERSON:
        return MayDecide(False, "not_a_person", "only people decide; service accounts never do")
    if not ApprovalRequest.objects.filter(may_approve(actor), pk=request.pk).exists():
        return MayDecide(False, "not_an_approver", "you were not given this tool's calls to approve")
    if is_auditor(actor):
        return MayDecide(False, "is_an_auditor", "an auditor sees, and decides about nothing")
    if part := _find_part(actor, request):
        return part
    if request.state == ApprovalRequest.State.WAITING and (turn := _find_turn(actor, request)):
        return turn
    if not second_factor:
        return MayDecide(False, REQUIRED, "confirm with your second factor, then decide again")
    if request.factor == Factor.KEY and not signed:
        return MayDecide(False, "key_required", "this takes your security key: decide in the console with it")
    return MayDecide(True)


def _find_turn(actor: User, request: ApprovalRequest) -> MayDecide | None:
    """Return the refusal of somebody whose yes is not the one that is awaited now."""
    if request.decisions.filter(decided_by=actor).exists():
        return MayDecide(
            False, "decided_already", "you have decided about this: it takes somebody else's yes"
        )
    if not ApprovalRequest.objects.filter(is_asked(actor), pk=request.pk).exists():
        return MayDecide(False, "not_asked_now", f"stage {request.stage} of this asks others")
    return None


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
