"""Separation of duties: who has a part in a run decides about no call of it, nor of any run that acts for it.

The list of what somebody may decide, and the decision itself, ask the same conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Q

from identities.models import STAFF_ISSUER, User


@dataclass(frozen=True, slots=True)
class Part:
    """A part in a run: who has it, as a condition on requests and on their parents alike, and how they are told.

    What ends in ``_above`` is said of a run that the asking one acts for; ``run`` and ``agent`` name it.
    """

    held_by: Callable[[User], Q]
    code: str
    words: str
    code_above: str
    words_above: str


def _owns(user: User) -> Q:
    return Q(identity__owner=user) | Q(owner=user)


def _started(user: User) -> Q:
    return Q(requested_by=user)


def _issued_the_key(user: User) -> Q:
    return Q(key_issuer=user)


def _is_served(user: User) -> Q:
    return Q(principal__issuer=STAFF_ISSUER, principal__subject=user.get_username())


PARTS = {
    "owner": Part(
        _owns,
        "owns_the_agent",
        "the agent's owner does not approve its calls; ask a colleague",
        "owns_a_parents_agent",
        "this is done for run {run} of {agent}, and that agent's owner does not approve it; ask a colleague",
    ),
    "starter": Part(
        _started,
        "started_the_run",
        "who started the work does not approve it; ask a colleague",
        "started_a_parent",
        "this is done for run {run} of {agent}, and who started that does not approve it; ask a colleague",
    ),
    "key issuer": Part(
        _issued_the_key,
        "issued_the_key",
        "who issued the key that started the work does not approve it; ask a colleague",
        "issued_a_parents_key",
        "this is done for run {run} of {agent}, and who issued the key that started that does not approve it; "
        "ask a colleague",
    ),
    "end user": Part(
        _is_served,
        "is_the_principal",
        "nobody approves what is done on their behalf; ask a colleague",
        "is_a_parents_principal",
        "this is done for run {run} of {agent}, which is on your behalf; ask a colleague",
    ),
}


def has_part(user: User) -> Q:
    """Return the condition that this person has a part in the run of a request, or in that of a parent."""
    condition = Q()
    for part in PARTS.values():
        condition |= part.held_by(user)
    return condition
