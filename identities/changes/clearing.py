"""The gate in front of every governed write: one person may, or two have signed exactly this, or it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from agentops.errors import StateConflict
from identities.changes.change import Change, SecondPersonNeeded
from identities.changes.rows import close_proposal, write_proposal
from identities.changes.rules import is_one_enough
from identities.models import ChangeProposal, User
from identities.policies import require


class Outdated(StateConflict):
    """What was proposed is not what would be done now."""


@dataclass
class _Activation:
    proposal: ChangeProposal
    is_used: bool = False


_rehearsing: ContextVar[bool] = ContextVar("rehearsing", default=False)
_activation: ContextVar[_Activation | None] = ContextVar("activation", default=None)
_second: ContextVar[User | None] = ContextVar("second", default=None)


def clear_change(actor: User, change: Change) -> dict[str, str]:
    """Let a change go on; return what its ledger entry says of the proposal, nothing where one person did it.

    Call it behind all checks and before the write. Raises SecondPersonNeeded, or Outdated inside an activation.
    """
    if _rehearsing.get():
        raise SecondPersonNeeded(change)
    activation = _activation.get()
    if activation is not None:
        return _use(activation, change)
    if is_one_enough(change):
        return {}
    second = _second.get()
    if second is None or second == actor:
        raise SecondPersonNeeded(change)
    require(second, change.permission, change.team)
    proposal = write_proposal(actor, change, "")
    close_proposal(proposal, ChangeProposal.State.ACTIVATED, second)
    return name_proposal(proposal)


def name_proposal(proposal: ChangeProposal) -> dict[str, str]:
    """Return the facts by which an entry names the proposal that it carried out, and who activated it."""
    return {"proposal": str(proposal.id), "activated_by": str(proposal.checker_id)}


def _use(activation: _Activation, change: Change) -> dict[str, str]:
    proposal = activation.proposal
    proposed = (proposal.verb, proposal.subject, proposal.before, proposal.after)
    if activation.is_used or (change.verb, change.subject, change.before, change.after) != proposed:
        raise Outdated("change_outdated", "what this would change has changed since: propose it anew")
    activation.is_used = True
    return name_proposal(proposal)


@contextmanager
def activated(proposal: ChangeProposal) -> Iterator[None]:
    """Let the proposed change through inside the block, once. Raises Outdated if the block did something else."""
    activation = _Activation(proposal)
    token = _activation.set(activation)
    try:
        yield
    finally:
        _activation.reset(token)
    if not activation.is_used:
        raise Outdated("change_outdated", "this has nothing left to change")


@contextmanager
def rehearsing() -> Iterator[None]:
    """Stop every change inside the block before it is written, and have it describe itself."""
    token = _rehearsing.set(True)
    try:
        yield
    finally:
        _rehearsing.reset(token)


@contextmanager
def seconded(person: User | None) -> Iterator[None]:
    """Have a second person, who is present, sign all changes inside the block; None signs nothing."""
    token = _second.set(person)
    try:
        yield
    finally:
        _second.reset(token)
