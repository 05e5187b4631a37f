"""What people and applications do about notes: release them from quarantine, take them back, delete them."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from identities.models import User
from runs.memory.affected import find_affected
from runs.memory.meaning.provider import hint_vectors_after_commit
from runs.memory.policies import may_release
from runs.models import Memory
from runs.policies import may_control

STREAM_KIND = "memory"
REASON_LIMIT = 2_000
MOST_NAMED = 100  # runs and notes that the entry names; the rows have them all
State = Memory.State


def release_memory(*, actor: User, memory: Memory, reason: str) -> Memory:
    """Let later runs read a note that was kept from them. It goes on being believed no more than what it rests on.

    Raises PolicyDenied, also for who has a part in its run; StateConflict unless it is quarantined and has not expired;
    ValidationFailed without a reason.
    """
    _check_reason(reason)
    with transaction.atomic():
        locked = _lock(memory)
        may_release(actor, locked).enforce()
        if locked.state != State.QUARANTINED or locked.expires_at <= timezone.now():
            raise StateConflict("not_quarantined", "the note is not in quarantine, or has expired")
        hint_vectors_after_commit()
        return _settle(locked, State.ACTIVE, "memory.released", actor, reason)


def revert_memory(*, actor: User, memory: Memory, reason: str) -> Memory:
    """Take a note back at once: no run is shown it from now on. What it has reached is on the record, and listed.

    Raises PolicyDenied; StateConflict where it was taken back or deleted before; ValidationFailed without a reason.
    """
    _check_reason(reason)
    with transaction.atomic():
        locked = _lock(memory)
        may_control(actor, locked.run).enforce()
        if locked.state not in (State.ACTIVE, State.QUARANTINED):
            raise StateConflict("memory_closed", f"the note was {locked.state} before; nothing was changed")
        return _settle(locked, State.REVERTED, "memory.reverted", actor, reason)


def delete_memory(*, actor: User, memory: Memory, reason: str = "") -> Memory:
    """Delete the words of a note; what its run and later ones said of it stays in their records until they are erased.

    Raises PolicyDenied; StateConflict where it was deleted before.
    """
    _check_length(reason)
    with transaction.atomic():
        locked = _lock(memory)
        may_control(actor, locked.run).enforce()
        if locked.state == State.DELETED:
            raise StateConflict("memory_closed", "the note was deleted before; nothing was changed")
        locked.text, locked.passages = "", []
        return _settle(locked, State.DELETED, "memory.deleted", actor, reason)


def _check_reason(reason: str) -> None:
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why; the record keeps it")
    _check_length(reason)


def _check_length(reason: str) -> None:
    if len(reason) > REASON_LIMIT:
        raise ValidationFailed("reason_too_long", f"a reason has at most {REASON_LIMIT} characters")


def _lock(memory: Memory) -> Memory:
    """Whoever is just being shown the note is waited for, and is among those who read it."""
    locked = Memory.objects.select_for_update(of=("self",))
    return locked.select_related("run__team", "run__application", "run__identity", "run__principal").get(
        pk=memory.pk
    )


def _settle(memory: Memory, state: Memory.State, kind: str, actor: User, reason: str) -> Memory:
    before = memory.state
    memory.state, memory.settled_at, memory.settled_by = state, timezone.now(), actor
    memory.save(update_fields=["state", "settled_at", "settled_by", "text", "passages"])
    reached = find_affected(memory, actor)
    facts = {
        "run": str(memory.run_id), "before": before, "label": memory.label,
        "read_by": sorted({str(each.run_id) for each in reached.readings})[:MOST_NAMED],
        "notes": [str(each.pk) for each in reached.notes][:MOST_NAMED],
        "reached": [len({each.run_id for each in reached.readings}), len(reached.notes)],
    }  # fmt: skip
    content = {"reason": reason} if reason.strip() else None
    record(memory.pk, STREAM_KIND, Draft(kind, memory.settled_at, facts, content, actor.pk))
    return memory
