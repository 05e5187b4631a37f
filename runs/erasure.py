"""Erasing what was said in a run: the words go, what happened stays on the record."""

from __future__ import annotations

from django.db import connection, transaction
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.ledger.entries import Draft
from agentops.ledger.store import Cursor, erase_contents, record
from identities.models import User
from identities.policies import require
from runs.models import Run

# Of a run: its own stream, what its approvals showed to people, and what drivers saw too late.
_STREAMS = """
SELECT %(run)s::uuid
UNION SELECT id FROM approvals_approvalrequest WHERE subject_ref = %(run)s::text
UNION SELECT stream FROM ledger_entry WHERE kind = 'outcome.late' AND facts ->> 'run' = %(run)s::text
"""


def erase_run(*, actor: User, run: Run, reason: str) -> int:
    """Erase every word that a run that has ended has left in the ledger; return how many entries lost theirs.

    The principal's issuer and subject stay in their own row. Raises PolicyDenied, StateConflict.
    """
    require(actor, "ledger.erase_content", run.team)
    with transaction.atomic(), connection.cursor() as cursor:
        locked = Run.objects.select_for_update().get(pk=run.pk)
        if not locked.has_ended:
            raise StateConflict("run_not_ended", "a run that is going on needs its words: cancel it first")
        erased = _erase(cursor, run)
        facts = {"run": str(run.pk), "entries": erased}
        content = {"reason": reason} if reason else None
        record(
            run.principal_id, "principal", Draft("content.erased", timezone.now(), facts, content, actor.pk)
        )
    return erased


def _erase(cursor: Cursor, run: Run) -> int:
    cursor.execute(_STREAMS, {"run": str(run.pk)})
    streams = [stream for (stream,) in cursor.fetchall()]
    return sum(erase_contents(cursor, stream) for stream in streams)
