"""What a driver saw happen and could not write into its run's stream: kept beside it, as evidence."""

from __future__ import annotations

from django.db import connection as orm_connection

from agentops.database import orm_section
from agentops.engine import events as e
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from runs.erasure import are_words_erased
from runs.session import Session

_OUTCOMES = frozenset(
    (
        e.CALL_SUCCEEDED,
        e.CALL_FAILED,
        e.CALL_UNKNOWN,
        e.ATTEMPT_FAILED,
        e.STEP_DECIDED,
        e.SUMMARY_WRITTEN,
        e.EMBEDDING_MADE,
    )
)


def keep_late_outcomes(session: Session) -> None:
    """A driver that lost its lease keeps what it saw happen, outside the run's stream, and writes nothing else."""
    late = [draft for draft, _ in session.pending if draft.kind in _OUTCOMES]
    if not late:
        return
    run = session.context.run_id
    with orm_section(), orm_connection.cursor() as cursor:
        erased = are_words_erased(cursor, run)
        for draft in late:
            facts = {**draft.facts, "run": str(run), "kind": draft.kind, "epoch": session.epoch}
            content = None if erased else draft.content
            record(new_id(), "evidence", Draft("outcome.late", draft.at, facts, content, draft.actor))
