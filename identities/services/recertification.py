"""Recertification: somebody who does not own an agent looks at it again, and says so, until the next time."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, User
from identities.policies import enforce, may_recertify
from identities.services.agents import lock_agent, set_ends

LONGEST = timedelta(days=366)


@transaction.atomic
def recertify_agent(
    *, actor: User, agent: AgentIdentity, recertify_by: datetime, looked_at: str
) -> AgentIdentity:
    """Say that an agent is still wanted, what was looked at for that, and when to look again.

    An agent that was suspended stays so until it is activated. Raises PolicyDenied for its owner, ValidationFailed
    for a date that is past or further off than a year, StateConflict once the agent is revoked.
    """
    locked = lock_agent(agent)
    enforce(may_recertify(actor, locked))
    require_fresh_factor(actor)
    if locked.state == AgentIdentity.State.REVOKED:
        raise StateConflict("agent_revoked", f"agent {locked.slug} is revoked for good")
    now = timezone.now()
    if not now < recertify_by <= now + LONGEST:
        raise ValidationFailed("invalid_date", f"the next look is within the next {LONGEST.days} days")
    if is_blank(looked_at):
        raise ValidationFailed("reason_missing", "say what you looked at; the record keeps it")
    before = locked.recertify_by
    set_ends(locked, locked.ends_at, recertify_by)
    facts = {"before": before.isoformat() if before else None, "recertify_by": recertify_by.isoformat()}
    draft = Draft("agent.recertified", now, facts, {"looked_at": looked_at}, actor.id)
    record(locked.id, "identity", draft)
    return locked
