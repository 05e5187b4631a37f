"""Erasing what was said in a run, and who a person is: the words go, what happened stays on the record."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from agentops.canonical import keyed_digest
from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import Cursor, erase_contents, record
from identities.models import STAFF_ISSUER, Principal, Team, User
from identities.policies import require
from runs.evaluation.erasing import erase_cases, runs_of_cases
from runs.memory.erasing import erase_memories
from runs.models import Example, Run
from runs.parts import erase_parts
from runs.schedules.forgetting import forget_schedules

ERASE = "ledger.erase_content"

# Of a run: its own stream, what its approvals and confirmations showed, and what drivers saw too late.
_STREAMS = """
SELECT %(run)s::uuid
UNION SELECT id FROM approvals_approvalrequest WHERE subject_ref = %(run)s::text
UNION SELECT id FROM approvals_confirmation WHERE subject_ref = %(run)s::text
UNION SELECT request_id FROM runs_change_item i JOIN runs_changeset s ON s.id = i.change_set_id WHERE s.run_id = %(run)s
UNION SELECT id FROM runs_memory WHERE run_id = %(run)s
UNION SELECT id FROM runs_example WHERE run_id = %(run)s
UNION SELECT stream FROM ledger_entry WHERE kind = 'outcome.late' AND facts ->> 'run' = %(run)s::text
"""
# Conflicts with the lock of an erasure only: nobody else is kept waiting.
_KEEP_FROM_ERASURE = "SELECT FROM runs_run WHERE id = %s FOR KEY SHARE"
_IS_ERASED = """
SELECT EXISTS (SELECT FROM ledger_entry WHERE stream = %s AND content_digest IS NOT NULL AND salt IS NULL)
"""


def erase_run(*, actor: User, run: Run, reason: str) -> int:
    """Erase every word that a run that has ended, its forks and its cases have left in the ledger; return of how many
    entries.

    The principal's issuer and subject stay in their own row. Raises PolicyDenied, StateConflict.
    """
    require(actor, ERASE, run.team)
    with transaction.atomic(), connection.cursor() as cursor:
        locked = Run.objects.select_for_update().get(pk=run.pk)
        # They hold the same words; none begins while the run is locked.
        forks = list(locked.forks.select_for_update().order_by("pk"))
        cases = list(runs_of_cases(locked).select_for_update(of=("self",)).order_by("pk"))
        erased = sum(_erase_words(cursor, each) for each in (locked, *forks, *cases))
        content = {"reason": reason} if reason else None
        record(run.principal_id, "principal", _erased(locked, erased, timezone.now(), actor, content))
    return erased


def erase_principal(*, actor: User, principal: Principal, reason: str) -> int:
    """Erase the words of all runs of an end user, and put a keyed pseudonym in the place of the subject.

    Return how many entries lost their words. A person who is known to several teams is erased in each. May be
    repeated. Raises PolicyDenied; StateConflict while a run is going on, or for a member of staff, whose
    username is an account; ValidationFailed for a reason that names the person.
    """
    _require_in_every_team(actor, principal)
    with transaction.atomic(), connection.cursor() as cursor:
        forget_schedules(
            principal
        )  # before the person: whoever starts one has its row, and then the person's
        # FOR UPDATE keeps runs from starting for this person until the commit: see start_run.
        locked = Principal.objects.select_for_update().get(pk=principal.pk)
        _check_erasable(locked, reason)
        runs = list(Run.objects.select_for_update().filter(principal=locked).order_by("pk"))
        counts = [_erase_words(cursor, run) for run in runs]
        planned = [erase_contents(cursor, each) for each in forget_schedules(locked)]
        # Reasons of earlier erasures were written before anybody checked whether they name the person.
        total = sum(counts) + sum(planned) + erase_contents(cursor, locked.pk)
        _pseudonymise(locked)
        _record_erasure(locked, runs, counts, actor, reason)
    return total


def are_words_erased(cursor: Cursor, run: UUID) -> bool:
    """Return whether a run has been erased; until the commit it stays as it is.

    For whoever writes words of it elsewhere: an erasure under way is waited for, a later one finds what was written.
    """
    cursor.execute(_KEEP_FROM_ERASURE, (run,))
    cursor.execute(_IS_ERASED, (run,))
    return bool(cursor.fetchone()[0])


def _require_in_every_team(actor: User, principal: Principal) -> None:
    for team in Team.objects.filter(Q(pk=principal.team_id) | Q(runs__principal=principal)).distinct():
        require(actor, ERASE, team)


def _check_erasable(principal: Principal, reason: str) -> None:
    if principal.issuer == STAFF_ISSUER and User.objects.filter(username=principal.subject).exists():
        raise StateConflict(
            "staff_principal", "this is a member of staff, known by the username of an account"
        )
    if re.search(rf"(?<!\w){re.escape(principal.subject)}(?!\w)", reason, re.IGNORECASE):
        raise ValidationFailed(
            "reason_names_person", "the reason stays on the record: do not name the person"
        )


def _erase_words(cursor: Cursor, run: Run) -> int:
    if not run.has_ended:
        raise StateConflict("run_not_ended", f"run {run.pk} is going on and needs its words: cancel it first")
    cursor.execute(_STREAMS, {"run": str(run.pk)})
    streams = [stream for (stream,) in cursor.fetchall()]
    erase_parts(cursor, run.pk)
    erase_memories(run)
    erase_cases(run)
    Example.objects.filter(run=run).delete()  # of which nothing is left to learn
    Run.objects.filter(pk=run.pk).update(trace_state="")  # the caller's own words, whatever they are
    return sum(erase_contents(cursor, stream) for stream in streams)


def _pseudonymise(principal: Principal) -> None:
    if principal.erased_at is None:
        # With the row's own id in it: whoever comes back and is erased again gets another one.
        digest = keyed_digest(["principal", str(principal.pk), principal.issuer, principal.subject])
        principal.subject, principal.erased_at = f"erased-{digest[:32]}", timezone.now()
        principal.save(update_fields=["subject", "erased_at"])


def _record_erasure(
    principal: Principal, runs: list[Run], counts: list[int], actor: User, reason: str
) -> None:
    now = timezone.now()
    content = {"reason": reason} if reason else None
    drafts = [_erased(run, count, now, actor) for run, count in zip(runs, counts, strict=True)]
    whole = Draft("principal.erased", now, {"runs": len(runs), "entries": sum(counts)}, content, actor.pk)
    record(principal.pk, "principal", *drafts, whole)


def _erased(
    run: Run, entries: int, now: datetime, actor: User, content: dict[str, str] | None = None
) -> Draft:
    return Draft("content.erased", now, {"run": str(run.pk), "entries": entries}, content, actor.pk)
