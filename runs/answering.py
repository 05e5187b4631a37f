"""Answering conversations that agents passed to people: claim one, then give it back with an answer, or end it.

A claim keeps two people from answering at once. It lapses by itself, so that nobody's absence keeps a user waiting.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from agentops.engine import events as e
from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.models import User
from runs.models import Handover, Run
from runs.policies import may_answer
from runs.services import append_to_run, check_text, void_approvals

CLAIM = timedelta(minutes=30)
STREAM_KIND = "handover"
Outcome = Handover.Outcome
CLOSING = (Outcome.RESOLVED, Outcome.DECLINED, Outcome.ELSEWHERE)
CLOSINGS = [(str(each.value), str(each.label)) for each in CLOSING]


def is_claimed(handover: Handover, now: datetime) -> bool:
    """Return whether somebody is answering it, as far as their claim says."""
    return handover.claimed_at is not None and now < handover.claimed_at + CLAIM


@transaction.atomic
def claim_handover(*, actor: User, handover: Handover) -> Handover:
    """Take a conversation upon oneself; others are kept from answering it meanwhile. Claimed again, it counts anew."""
    locked = _lock_open(actor, handover)
    locked.claimed_by, locked.claimed_at = actor, timezone.now()
    return _keep_claim(locked, actor, "handover.claimed")


@transaction.atomic
def release_handover(*, actor: User, handover: Handover) -> Handover:
    """Let others have a conversation that one has claimed."""
    locked = _lock_open(actor, handover)
    if locked.claimed_by_id != actor.pk:
        raise StateConflict("not_claimed", "you have not claimed this conversation")
    locked.claimed_by = locked.claimed_at = None
    return _keep_claim(locked, actor, "handover.released")


def answer_handover(*, actor: User, handover: Handover, text: str) -> Handover:
    """Give a conversation back to its agent, which goes on with the answer."""
    return _answer(actor, handover, text, e.HANDOVER_ANSWERED, Outcome.GIVEN_BACK, {})


def close_handover(*, actor: User, handover: Handover, outcome: str, text: str) -> Handover:
    """End a conversation with a person's answer to the user: the run completes with it, the agent says no more.

    What waits for people in the run is withdrawn; what is under way comes to its end first.
    """
    if outcome not in CLOSING:
        raise ValidationFailed("bad_outcome", f"an outcome is one of {', '.join(CLOSING)}")
    return _answer(actor, handover, text, e.HANDOVER_CLOSED, outcome, {"outcome": outcome})


@transaction.atomic
def _answer(
    actor: User, handover: Handover, text: str, kind: str, outcome: str, facts: dict[str, Any]
) -> Handover:  # Any: JSON
    check_text(text)
    locked = _lock_open(actor, handover)
    told = {"step": locked.step, "call": locked.call, "size": len(text), **facts}
    run: Run = append_to_run(actor, locked.run, kind, told, {"text": text}, void_approvals(locked.run))
    locked.answered_at, locked.answered_by = run.updated_at, actor  # the time of the entry
    locked.outcome = outcome
    locked.save(update_fields=["answered_at", "answered_by", "outcome"])
    return locked


def _lock_open(actor: User, handover: Handover) -> Handover:
    """Lock a conversation that this person may answer now.

    Raises PolicyDenied, and StateConflict for one that was answered or that a colleague is answering.
    """
    locked: Handover = Handover.objects.select_for_update().get(pk=handover.pk)
    may_answer(actor, locked.run).enforce()
    if locked.answered_at is not None:
        raise StateConflict("handover_answered", "somebody has answered this already")
    if locked.run.has_ended:
        raise StateConflict("run_ended", f"the run is {locked.run.state}; nothing was changed")
    if is_claimed(locked, timezone.now()) and locked.claimed_by_id != actor.pk:
        raise StateConflict("handover_claimed", f"{locked.claimed_by} is answering this")
    return locked


def _keep_claim(handover: Handover, actor: User, kind: str) -> Handover:
    handover.save(update_fields=["claimed_by", "claimed_at"])
    facts = {"run": str(handover.run_id), "step": handover.step, "call": handover.call}
    record(handover.pk, STREAM_KIND, Draft(kind, timezone.now(), facts, actor=actor.pk))
    return handover
