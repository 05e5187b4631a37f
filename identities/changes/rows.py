"""The rows of proposals and their ledger entries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from agentops.errors import PolicyDenied
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.changes.change import Change
from identities.models import ChangeProposal, User
from identities.querysets import is_known_person

LIFE = timedelta(days=7)
STREAM_KIND = "change"


def write_proposal(
    maker: User, change: Change, reason: str, *, rolls_back: ChangeProposal | None = None
) -> ChangeProposal:
    """Write what somebody proposes, or return what they proposed already, in the caller's transaction."""
    if not is_known_person(maker):
        raise PolicyDenied("not_a_person", "only people propose what governs agents")
    now = timezone.now()
    same = {"verb": change.verb, "subject": change.subject, "before": change.before, "after": change.after}
    theirs = ChangeProposal.objects.waiting(now).filter(maker=maker, verb=change.verb, subject=change.subject)
    for known in theirs:
        if (known.before, known.after) == (change.before, change.after):
            return known
    proposal = ChangeProposal.objects.create(
        **same,
        team=change.team,
        permission=change.permission,
        title=change.title[:300],
        arguments=change.arguments,
        loosening=list(change.loosening),
        undo=change.undo,
        reason=reason,
        maker=maker,
        created_at=now,
        expires_at=now + LIFE,
        rolls_back=rolls_back,
    )
    facts = {**same, "loosening": list(change.loosening), "expires_at": proposal.expires_at.isoformat()}
    _record(proposal, "change.proposed", maker, facts, reason)
    return proposal


def close_proposal(proposal: ChangeProposal, state: str, actor: User | None, answer: str = "") -> None:
    """Decide a proposal whose row is locked; nobody is the actor of what time does."""
    proposal.state, proposal.decided_at, proposal.answer = state, timezone.now(), answer
    if state in (ChangeProposal.State.ACTIVATED, ChangeProposal.State.REJECTED):
        proposal.checker = actor
    proposal.save(update_fields=["state", "decided_at", "answer", "checker"])
    facts = {"verb": proposal.verb, "subject": proposal.subject, "maker": str(proposal.maker_id)}
    _record(proposal, f"change.{state}", actor, facts, answer)


def _record(
    proposal: ChangeProposal, kind: str, actor: User | None, facts: Mapping[str, object], reason: str
) -> None:
    content = {"reason": reason} if reason else None
    draft = Draft(kind, timezone.now(), dict(facts), content, actor.id if actor else None)
    record(proposal.id, STREAM_KIND, draft)
