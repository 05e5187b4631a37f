"""Who may release a note from quarantine: people who have no part in the run that wrote it. Deny by default."""

from __future__ import annotations

from identities.models import User
from identities.roles import is_auditor
from runs.extending import find_part
from runs.models import Memory
from runs.policies import May, may_control

RELEASE = "runs.release_memory"


def may_release(actor: User, memory: Memory) -> May:
    """Return whether this person may let later runs read a note, and if not, why."""
    if actor.kind != User.Kind.PERSON:
        return May(False, "not_a_person", "only people release what agents remember")
    controlled = may_control(actor, memory.run, RELEASE)
    if not controlled.allowed:
        return controlled
    if is_auditor(actor):
        return May(False, "is_an_auditor", "an auditor sees, and decides about nothing")
    return find_part(actor, memory.run) or May(True)
