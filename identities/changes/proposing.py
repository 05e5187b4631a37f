"""Proposing: what one person may not do alone is written down for a second one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

from agentops.errors import NotFound, StateConflict, ValidationFailed
from identities.changes.change import Change, Fields, SecondPersonNeeded
from identities.changes.clearing import rehearsing
from identities.changes.rows import write_proposal
from identities.changes.verbs import find_verb
from identities.models import ChangeProposal, User

T = TypeVar("T")
REASON_LIMIT = 2_000


@transaction.atomic
def do_or_propose(
    *, actor: User, act: Callable[[], T], reason: str = "", rolls_back: ChangeProposal | None = None
) -> T | ChangeProposal:
    """Call a verb; where it takes a second person, write the proposal instead and return that.

    ``act`` calls one verb as ``actor``. Raises what the verb raises.
    """
    _check_reason(reason)
    try:
        with transaction.atomic():
            return act()
    except SecondPersonNeeded as needed:
        return write_proposal(actor, needed.change, reason, rolls_back=rolls_back)


@transaction.atomic
def propose(*, actor: User, verb: str, arguments: Fields, reason: str = "") -> ChangeProposal:
    """Propose a change even where one person would be enough.

    Raises what the verb raises, StateConflict (nothing_to_change) where all is so already.
    """
    _check_reason(reason)
    return write_proposal(actor, _rehearse(actor, verb, arguments), reason)


def roll_back(*, actor: User, proposal: ChangeProposal, reason: str = "") -> object:
    """Bring back what was before an activated change; return what the verb returns, or the proposal to do so.

    It takes as many people as every change: to tighten again is mostly one person's. Raises StateConflict.
    """
    present = ChangeProposal.objects.visible_to(actor).filter(pk=proposal.pk).first()
    if present is None:
        raise NotFound("unknown_proposal", "there is no such proposal")
    if present.state != ChangeProposal.State.ACTIVATED or present.undo is None:
        raise StateConflict("nothing_to_roll_back", f"a change that is {present.state} cannot be rolled back")
    verb, arguments = find_verb(present.verb), present.undo
    return do_or_propose(
        actor=actor, act=lambda: verb.carry_out(actor, arguments), reason=reason, rolls_back=present
    )


def _rehearse(actor: User, verb: str, arguments: Fields) -> Change:
    try:
        with transaction.atomic(), rehearsing():
            find_verb(verb).carry_out(actor, arguments)
            raise StateConflict("nothing_to_change", "all is so already")
    except SecondPersonNeeded as needed:
        return needed.change


def _check_reason(reason: str) -> None:
    if len(reason) > REASON_LIMIT:
        raise ValidationFailed("reason_too_long", f"a reason has at most {REASON_LIMIT} characters")
