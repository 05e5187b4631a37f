"""Deciding: a second person activates a proposal or rejects it, its maker withdraws it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.text import is_blank
from identities.changes.clearing import Outdated, activated
from identities.changes.proposing import REASON_LIMIT
from identities.changes.rows import close_proposal
from identities.changes.verbs import find_verb
from identities.models import ChangeProposal, Team, User
from identities.policies import may_govern
from identities.querysets import is_known_person

State = ChangeProposal.State


@dataclass(frozen=True, slots=True)
class MayCheck:
    """Whether somebody may activate or reject a proposal, and if not, why and what to do."""

    allowed: bool
    code: str = ""
    detail: str = ""


def may_check(actor: User, proposal: ChangeProposal, *, second_factor: bool) -> MayCheck:
    """Decide who may be the second person; a superuser is bound like everybody else."""
    if not is_known_person(actor):
        return MayCheck(False, "not_a_person", "only people decide; service accounts never do")
    if actor.pk == proposal.maker_id:
        return MayCheck(False, "own_proposal", "nobody activates what they proposed; ask a colleague")
    decision = may_govern(actor, proposal.permission, proposal.team)
    if not decision.allowed:
        return MayCheck(False, "not_permitted", "; ".join(decision.reasons))
    if not second_factor:
        detail = "confirm with your second factor, then decide again"
        return MayCheck(False, "second_factor_required", detail)
    return MayCheck(True)


def find_checkers(permission: str, team: Team | None, maker: User) -> list[User]:
    """Return who may activate what somebody proposes, by name."""
    # Rights count in one's own teams, so that nobody else has to be asked.
    near = Q(is_superuser=True) | Q(teams=team) if team else Q(is_superuser=True)
    people = User.objects.filter(near, kind=User.Kind.PERSON, is_active=True).exclude(pk=maker.pk)
    return [
        person
        for person in people.distinct().order_by("username")
        if may_govern(person, permission, team).allowed
    ]


@transaction.atomic
def activate(*, actor: User, proposal: ChangeProposal, second_factor: bool) -> ChangeProposal:
    """Carry a proposal out, in its maker's name, as the second person; return it as it stands then.

    That is activated; or outdated, when what it would change is no longer as it was; or expired. Raises NotFound,
    PolicyDenied for who may not, the maker included who may not any more, StateConflict once it is decided.
    """
    locked = _lock(actor, proposal.pk)
    _enforce(may_check(actor, locked, second_factor=second_factor))
    if not _is_in_time(locked, timezone.now()):
        return locked
    try:
        with transaction.atomic():
            _carry_out(locked, actor)
    except Outdated:
        locked.refresh_from_db()
        close_proposal(locked, State.OUTDATED, None)
    return locked


@transaction.atomic
def reject(*, actor: User, proposal: ChangeProposal, reason: str, second_factor: bool) -> ChangeProposal:
    """Refuse a proposal as the second person; raises as ``activate`` does, ValidationFailed without a reason."""
    locked = _lock(actor, proposal.pk)
    _enforce(may_check(actor, locked, second_factor=second_factor))
    if is_blank(reason) or len(reason) > REASON_LIMIT:
        problem = f"say why, in at most {REASON_LIMIT} characters: the maker reads it"
        raise ValidationFailed("reason_missing", problem)
    if _is_in_time(locked, timezone.now()):
        close_proposal(locked, State.REJECTED, actor, reason)
    return locked


@transaction.atomic
def withdraw(*, actor: User, proposal: ChangeProposal) -> ChangeProposal:
    """Take a proposal of one's own back."""
    locked = _lock(actor, proposal.pk)
    if actor.pk != locked.maker_id:
        raise PolicyDenied("not_your_proposal", "only who proposed it withdraws it; reject it instead")
    if _is_in_time(locked, timezone.now()):
        close_proposal(locked, State.WITHDRAWN, actor)
    return locked


def require_state(decided: ChangeProposal, asked: str) -> ChangeProposal:
    """Return a proposal that became what was asked; raise StateConflict where time or another change was quicker.

    A step of its own, behind the transaction: what became of it instead is committed.
    """
    if decided.state != asked:
        raise StateConflict(f"change_{decided.state}", f"this is {decided.state}, nothing was changed")
    return decided


@transaction.atomic
def expire_proposals(*, now: datetime, limit: int = 200) -> int:
    """Close what nobody decided in time; return how many."""
    due = ChangeProposal.objects.select_for_update(skip_locked=True).filter(
        state=State.WAITING, expires_at__lte=now
    )
    expired = list(due.order_by("expires_at")[:limit])
    for proposal in expired:
        close_proposal(proposal, State.EXPIRED, None)
    return len(expired)


def _carry_out(proposal: ChangeProposal, checker: User) -> None:
    # Activated first: the guards look for it when the governed row is written.
    close_proposal(proposal, State.ACTIVATED, checker)
    verb = find_verb(proposal.verb)
    with activated(proposal):
        verb.carry_out(checker if verb.second_acts else proposal.maker, proposal.arguments)


def _is_in_time(proposal: ChangeProposal, now: datetime) -> bool:
    """Return whether it waits still; what nobody decided in time expires. Raises StateConflict once it is decided."""
    if proposal.state != State.WAITING:
        raise StateConflict("change_decided", f"this proposal is {proposal.state}; nothing was changed")
    if now < proposal.expires_at:
        return True
    close_proposal(proposal, State.EXPIRED, None)
    return False


def _enforce(decision: MayCheck) -> None:
    if not decision.allowed:
        raise PolicyDenied(decision.code, decision.detail)


def _lock(actor: User, proposal_id: UUID) -> ChangeProposal:
    if not ChangeProposal.objects.visible_to(actor).filter(pk=proposal_id).exists():
        raise NotFound("unknown_proposal", "there is no such proposal")
    rows = ChangeProposal.objects.select_for_update(of=("self",)).select_related("maker", "team")
    locked: ChangeProposal = rows.get(pk=proposal_id)
    return locked
