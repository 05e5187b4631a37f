"""What decision tables have decided in a run, for arguments that are bound to it: the ledger says, not the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.ledger.store import Cursor
from runs.lookups.resolving import read_resolved
from runs.session import Session
from tools.bindings import MadeDecision, find_unbound
from tools.calls import ToolSpec
from tools.resolvers.declaration import Resolver

MOST = 200  # decisions of one tool, the latest ones
_MADE = """
SELECT decided_seq, outcome_seq, number FROM runs_tool_call
WHERE run_id = %s AND (tool_version_id = %s OR tool_version_id IS NULL AND tool_name = %s) AND state = 'succeeded'
ORDER BY outcome_seq DESC LIMIT %s
"""
_ENTRIES = "SELECT seq, kind, content FROM ledger_entry WHERE stream = %s AND seq = ANY(%s)"

Entries = dict[int, tuple[str, Any]]  # Any: erasable JSON, with the entry's kind


def find_undecided(session: Session, spec: ToolSpec, arguments: dict[str, Any]) -> str:  # Any: JSON
    """Return which arguments are not what a table has decided in this run, or an empty string."""
    if not spec.bound:
        return ""
    catalogue = session.version.catalogue
    names = {told["tool"] for told in spec.bound.values()} & catalogue.keys()
    deciding = {catalogue[name].id: name for name in names if catalogue[name].adapter == "decision"}
    # What is applied was decided about in the run that proposed it.
    run_id = session.applying.run if session.applying else session.context.run_id
    with borrowed() as connection, connection.cursor() as cursor:
        resolvers = {name: catalogue[name].resolvers for name in deciding.values()}
        made = list(_read_made(cursor, run_id, deciding, resolvers))
    return "; ".join(find_unbound(spec.bound, arguments, made))


def _read_made(
    cursor: Cursor, run_id: UUID, deciding: dict[UUID, str], resolvers: dict[str, tuple[Resolver, ...]]
) -> Iterator[MadeDecision]:
    """Yield the decisions of a run, the latest last; what was erased decides nothing any more."""
    for version, name in deciding.items():
        rows = cursor.execute(_MADE, (run_id, version, name, MOST)).fetchall()
        entries = _read_entries(cursor, run_id, [seq for row in rows for seq in row[:2] if seq])
        for decided, outcome, number in reversed(rows):
            proposal, (kind, result) = entries.get(decided), entries.get(outcome, ("", None))
            call = find_proposed(proposal, number)
            if call and resolvers.get(name):
                call["arguments"] = read_resolved(
                    cursor, run_id, (decided, outcome), number, call["arguments"]
                )
            if (
                kind == e.CALL_SUCCEEDED
                and isinstance(result, dict)
                and isinstance(result["value"], dict)
                and call
                and isinstance(call["arguments"], dict)
            ):
                yield MadeDecision(name, call["arguments"], result["value"].get("outputs"))


def _read_entries(cursor: Cursor, run_id: UUID, seqs: Sequence[int]) -> Entries:
    rows = cursor.execute(_ENTRIES, (run_id, list(seqs))).fetchall()
    return {seq: (kind, None if content is None else json.loads(content)) for seq, kind, content in rows}


def find_proposed(proposal: tuple[str, Any] | None, number: int) -> dict[str, Any] | None:  # Any: JSON
    """Return the recorded proposal of a call, or what a person made of it; None where that has no arguments."""
    kind, content = proposal or ("", None)
    if kind not in (e.STEP_DECIDED, e.CALL_EDITED) or not isinstance(content, dict):
        return None
    found = [call for call in content.get("calls", ()) if call["call"] == number]
    return found[0] if found and isinstance(found[0].get("arguments"), dict) else None
