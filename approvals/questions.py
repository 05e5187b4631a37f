"""Asking the agent before deciding: the request is closed, and the agent may answer and propose its call again."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.text import is_blank
from approvals.closing import check_open, check_words, close, lock_visible, note_decision, require_decider
from approvals.history import ROUNDS, count_rounds
from approvals.models import ApprovalRequest
from identities.models import User


def ask_agent(
    *, actor: User, request: ApprovalRequest, question: str, digest: str, channel: str, second_factor: bool
) -> ApprovalRequest:
    """Ask the agent about a call that waits: it is not made, and the run goes on with the question.

    Raises as ``decide`` does, and StateConflict once the agent was asked often enough. A question gives nothing away,
    so it takes no signature.
    """
    if is_blank(question):
        raise ValidationFailed("question_missing", "write what you want to know; the agent reads it")
    check_words(question)
    with transaction.atomic():
        locked = lock_visible(actor, request.pk)
        seat = require_decider(actor, locked, second_factor=second_factor)
        now = timezone.now()
        check_open(locked, digest, now)
        if count_rounds(locked) >= ROUNDS:
            detail = (
                f"the agent was asked {ROUNDS} times about this in this run: approve it, edit it or deny it"
            )
            raise StateConflict("asked_enough", detail)
        facts = {"verdict": "ask", "channel": channel, "digest": digest}
        note_decision(locked, actor, now, facts, {"question": question, "by": actor.get_username()}, seat)
        close(locked, "asked", now)
    return locked
