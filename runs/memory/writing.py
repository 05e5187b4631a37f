"""Remembering: a note for later runs, labelled by all that its run has read, kept from them where people are asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.identifiers import new_id, text_of
from agentops.ledger.store import Cursor
from runs.actions.proposals import proposal, where_of
from runs.actions.refusals import note_refused
from runs.labelling import label_entries
from runs.memory.grounding import find_grounded
from runs.memory.meaning.provider import hint_vectors
from runs.memory.offering import LONGEST
from runs.models import AgentVersion, Memory
from runs.redaction import Redactor
from runs.session import Session
from runs.sources import read_sources
from runs.window import SHOWN_KINDS, Written
from tools.provenance.labels import Label

POLICY, STATE = AgentVersion.Memory, Memory.State
MOST_OF_RUN = 5
MOST_OF_PRINCIPAL = (
    200  # quarantined ones included; those that have expired or were taken back are not counted
)
HOW_TO_REMEMBER = f"remember takes {{text}}: at most {LONGEST} characters"
_TOLD = {
    STATE.ACTIVE: "remembered for later runs for this user",
    STATE.QUARANTINED: "noted; a person looks at it before later runs are shown it",
}
_SPOKEN = "SELECT kind, facts, content FROM ledger_entry WHERE stream = %s AND kind = ANY(%s) ORDER BY seq"
_COUNTS = """
SELECT count(*) FILTER (WHERE run_id = %(run)s) AS of_run,
    count(*) FILTER (WHERE state IN ('active', 'quarantined') AND expires_at > %(now)s) AS of_principal,
    count(*) FILTER (WHERE state IN ('active', 'quarantined') AND text = %(text)s) AS same
FROM runs_memory WHERE identity_id = %(identity)s AND principal_id = %(principal)s
"""
# Runs of one principal that remember at once are counted one after another.
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_INSERT = """
INSERT INTO runs_memory (id, identity_id, principal_id, run_id, step, call, text, passages, label, sensitive, state,
    written_at, expires_at)
VALUES (%(id)s, %(identity)s, %(principal)s, %(run)s, %(step)s, %(call)s, %(text)s, %(passages)s::jsonb, %(label)s,
    %(sensitive)s, %(state)s, %(now)s, %(expires_at)s)
ON CONFLICT DO NOTHING
"""


def remember(session: Session, call: CallState) -> None:
    """Keep a note of a planner's, or refuse it and say why."""
    text = _read_text(proposal(session, call.number)["arguments"])
    if text is None:
        note_refused(session, call, "invalid_arguments", HOW_TO_REMEMBER)
        return
    if read_sources(session).sources.carried([text]):
        note_refused(session, call, "memory_sensitive", "it holds something sensitive, which is not kept")
        return
    row = _row(session, call, Redactor(session.version.redact).redact_text(text))
    with borrowed() as connection, connection.cursor() as cursor:
        problem = _find_problem(cursor, row)
    if problem:
        note_refused(session, call, *problem)
        return
    _note_written(session, call, row)


def decide_state(policy: str, label: Label) -> Memory.State:
    """Return how a note begins: whatever its version does not let be read at once waits for a person."""
    if policy == POLICY.ALL:
        return STATE.ACTIVE
    is_safe = label.source != "untrusted" and not label.sensitive
    return STATE.ACTIVE if policy == POLICY.AUTO and is_safe else STATE.QUARANTINED


def _read_text(arguments: Any) -> str | None:  # Any: whatever a model wrote
    text = arguments.get("text") if isinstance(arguments, dict) and arguments.keys() == {"text"} else None
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        return None
    return text.strip()


def _row(session: Session, call: CallState, text: str) -> dict[str, Any]:  # Any: columns
    version, context = session.version, session.context
    label = label_entries(_read_spoken(session), version.catalogue)
    is_strange = label.source == "untrusted"
    return {
        **where_of(session, call), "id": new_id(), "identity": context.identity_id, "principal": context.principal_id,
        "run": context.run_id, "text": text, "label": label.source, "sensitive": label.sensitive,
        "passages": [] if is_strange else find_grounded(text, read_sources(session).sources),
        "state": decide_state(version.memory, label).value, "now": session.now,
        "expires_at": session.now + timedelta(days=version.memory_days),
    }  # fmt: skip


def _read_spoken(session: Session) -> Iterator[Written]:
    """Yield all that the run was told or has read, what no longer fits into its window included."""
    with borrowed() as connection:
        rows = connection.execute(_SPOKEN, (session.context.run_id, list(SHOWN_KINDS))).fetchall()
    for kind, facts, content in rows:
        yield Written(kind, facts, None if content is None else json.loads(content))
    for draft, _ in session.pending:
        if draft.kind in SHOWN_KINDS:
            yield Written(draft.kind, draft.facts, draft.content)


def _find_problem(cursor: Cursor, row: dict[str, Any]) -> tuple[str, str] | None:
    cursor.execute(_COUNTS, row)
    ((of_run, of_principal, same),) = cursor.fetchall()
    if same:
        return "memory_known", "this is remembered already"
    if of_run >= MOST_OF_RUN:
        return "memory_often", f"a run may note {MOST_OF_RUN} things"
    if of_principal >= MOST_OF_PRINCIPAL:
        return "memory_full", f"{MOST_OF_PRINCIPAL} things are remembered for this user"
    return None


def _note_written(session: Session, call: CallState, row: dict[str, Any]) -> None:
    told = _TOLD[STATE(row["state"])]
    facts = {
        **where_of(session, call), "memory": text_of(row["id"]), "state": row["state"], "label": row["label"],
        "sensitive": row["sensitive"], "expires_at": row["expires_at"].isoformat(), "size": len(told),
    }  # fmt: skip
    session.note(e.MEMORY_WRITTEN, facts, {"value": told, "text": row["text"], "passages": row["passages"]})
    session.commit([lambda cursor: _insert(cursor, row)])
    if row["state"] == STATE.ACTIVE:
        hint_vectors()


def _insert(cursor: Cursor, row: dict[str, Any]) -> bool:
    cursor.execute(_ONE_BY_ONE, (f"memory {row['identity']} {row['principal']}",))
    if _find_problem(cursor, row):
        return False
    cursor.execute(_INSERT, {**row, "passages": json.dumps(row["passages"])})
    return True


def written_row(
    facts: dict[str, Any],
    content: dict[str, Any],
    *,
    run: UUID,
    identity: UUID,
    principal: UUID,
    at: datetime,
) -> dict[str, Any]:  # Any: JSON, and columns
    """Return the row that an entry ``memory.written`` tells of."""
    return {
        "id": UUID(facts["memory"]), "run_id": run, "identity_id": identity, "principal_id": principal,
        "step": facts["step"], "call": facts["call"], "text": content["text"], "passages": content["passages"],
        "label": facts["label"], "sensitive": facts["sensitive"], "state": facts["state"], "written_at": at,
        "expires_at": datetime.fromisoformat(facts["expires_at"]),
    }  # fmt: skip
