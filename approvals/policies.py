"""Who may decide about a call. Deny by default; a superuser is bound like everybody else."""

from __future__ import annotations

from dataclasses import dataclass

from agentops.console.second_factor import REQUIRED
from approvals.models import ApprovalRequest
from approvals.querysets import may_approve
from identities.models import STAFF_ISSUER, User
from identities.roles import is_auditor


@dataclass(frozen=True, slots=True)
class MayDecide:
    allowed: bool
    code: str = ""
    detail: str = ""


def may_decide(actor: User, request: ApprovalRequest, *, second_factor: bool) -> MayDecide:
    """Return whether this person may decide about this request, and if not, why and what to do."""
    if not actor.is_active or actor.kind != User.Kind.PERSON:
        return MayDecide(False, "not_a_person", "only people decide; service accounts never do")
    if not ApprovalRequest.objects.filter(may_approve(actor), pk=request.pk).exists():
        return MayDecide(False, "not_an_approver", "you were not given this tool's calls to approve")
    if is_auditor(actor):
        return MayDecide(False, "is_an_auditor", "an auditor sees, and decides about nothing")
    if actor.pk in (request.identity.owner_id, request.owner_id):
        return MayDecide(
            False, "owns_the_agent", "the agent's owner does not approve its calls; ask a colleague"
        )
    if request.requested_by_id == actor.pk:
        return MayDecide(
            False, "started_the_run", "who started the work does not approve it; ask a colleague"
        )
    if (request.principal.issuer, request.principal.subject) == (STAFF_ISSUER, actor.get_username()):
        return MayDecide(
            False, "is_the_principal", "nobody approves what is done on their behalf; ask a colleague"
        )
    if not second_factor:
        return MayDecide(False, REQUIRED, "confirm with your second factor, then decide again")
    return MayDecide(True)
