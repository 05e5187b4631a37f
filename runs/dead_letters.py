"""Dead letters: a run that fails its drivers again and again is parked, and a person redrives or discards it.

Attempts are counted with the lease, before the work: a run that kills its worker is counted like one that raises. A
drive that gives the run back, and every step that is decided, begins the count anew, so a long run among many
restarts is not parked. Parking needs nothing of the run but its row and its stream's head: what is wrong with it may
be that it cannot be folded.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from agentops.database import orm_section
from agentops.errors import StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import read_head, record
from agentops.messages import send_after_commit
from agentops.text import is_blank
from identities.models import User
from runs import services
from runs.models import DeadLetter, Run
from runs.policies import may_control
from runs.queues import DRIVE

STREAM_KIND = "dead_letter"
REASON_LIMIT = 2_000
State = DeadLetter.State


def is_worn_out(attempts: int) -> bool:
    """Return whether a run has had all its drives, so many in a row having come to nothing."""
    tries: int = settings.DRIVE_TRIES
    return attempts >= tries


def find_parked(run: Run) -> DeadLetter | None:
    """Return the dead letter of a run that no driver takes any more; the row itself says that there is none."""
    if run.has_ended or not is_worn_out(run.drives):
        return None
    return DeadLetter.objects.filter(run=run, state=State.PARKED).first()


def park(run_id: UUID, epoch: int, attempts: int, error: Exception | None) -> bool:
    """Take a run from the drivers until a person decides; False when somebody else drives it by now.

    ``error``: what the last drive raised; None where whoever drove it died.
    """
    with orm_section(), transaction.atomic(), connection.cursor() as cursor:
        run = Run.objects.select_for_update().get(pk=run_id)
        if run.lease_epoch != epoch:
            return False
        Run.objects.filter(pk=run_id).update(lease_until=None, lease_owner="", wake_at=None)
        if DeadLetter.objects.filter(run=run, state=State.PARKED).exists():
            return True
        letter = DeadLetter.objects.create(
            id=new_id(), run=run, team_id=run.team_id, attempts=attempts, error=_name(error),
            reason=DeadLetter.Reason.DRIVER_FAILED if error else DeadLetter.Reason.DRIVER_DIED,
            entry=read_head(cursor, run_id).seq, parked_at=timezone.now(),
        )  # fmt: skip
        facts = {"run": str(run_id), "entry": letter.entry, "attempts": attempts, "reason": letter.reason,
                 "error": letter.error}  # fmt: skip
        record(letter.pk, STREAM_KIND, Draft("dead_letter.parked", letter.parked_at, facts))
    return True


def _name(error: Exception | None) -> str:
    """Return what was raised and where, without its words: those may be personal."""
    if error is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"[:200]


def redrive_letter(*, actor: User, letter: DeadLetter, reason: str = "") -> DeadLetter:
    """Have a parked run driven again, with all its tries, once what was wrong with us is mended.

    Raises PolicyDenied, StateConflict when it is parked no more, ValidationFailed for words that are too many.
    """
    with transaction.atomic():
        run, locked = _lock(actor, letter, reason)
        _close(locked, State.REDRIVEN, actor, reason)
        Run.objects.filter(pk=run.pk).update(drives=0, wake_at=timezone.now())
        send_after_commit(DRIVE, str(run.pk), queue="critical")
    return locked


def discard_letter(*, actor: User, letter: DeadLetter, reason: str) -> DeadLetter:
    """Give a parked run up: it is killed for this reason, and driven only to its end.

    Raises PolicyDenied, StateConflict when it is parked no more, ValidationFailed without a reason.
    """
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why; the record keeps it")
    with transaction.atomic():
        run, locked = _lock(actor, letter, reason)
        _close(locked, State.DISCARDED, actor, reason)
        services.kill_run(actor=actor, run=run, reason=reason)
        Run.objects.filter(pk=run.pk).update(drives=0)
    return locked


def _lock(actor: User, letter: DeadLetter, reason: str) -> tuple[Run, DeadLetter]:
    if len(reason) > REASON_LIMIT:
        raise ValidationFailed("reason_too_long", f"a reason has at most {REASON_LIMIT} characters")
    related = "team", "application"
    run = Run.objects.select_for_update(of=("self",)).select_related(*related).get(pk=letter.run_id)
    may_control(actor, run).enforce()
    locked = DeadLetter.objects.select_for_update().get(pk=letter.pk)
    if locked.state != State.PARKED:
        raise StateConflict("letter_closed", f"the run was {locked.state}; nothing was changed")
    if run.has_ended:
        raise StateConflict("run_ended", f"the run is {run.state}; nothing was changed")
    return run, locked


def _close(letter: DeadLetter, state: str, actor: User, reason: str) -> None:
    letter.state, letter.closed_at, letter.closed_by = state, timezone.now(), actor
    letter.save(update_fields=["state", "closed_at", "closed_by"])
    content = {"reason": reason} if reason.strip() else None
    facts = {"run": str(letter.run_id)}
    record(letter.pk, STREAM_KIND, Draft(f"dead_letter.{state}", letter.closed_at, facts, content, actor.pk))
