"""What became of children: their answers, and what they have used, as the outcomes of the calls that wait for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentops.amounts import plain_decimal
from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.state import CallState, Spent
from agentops.strict_json import MalformedJSON, parse_json
from runs import evidence
from runs.actions.proposals import where_of
from runs.actions.refusals import give_caps_back
from runs.delegation.joining import NOT_NEEDED
from runs.delegation.labels import judge_answer
from runs.folding import read_state
from runs.session import Session
from runs.window import ERASED
from tools.calls import ToolSpec
from tools.outcomes import JSON, bound_detail
from tools.provenance.labels import leaves_of
from tools.schemas import validate_output

_ENDED = """
SELECT r.id, i.name, r.agent_version_id, r.state, r.status_reason,
    (extract(epoch FROM r.ended_at - r.created_at) * 1000)::bigint,
    (SELECT content FROM ledger_entry WHERE stream = r.id AND kind = ANY(%s) ORDER BY seq DESC LIMIT 1)
FROM runs_run r JOIN identities_agentidentity i ON i.id = r.identity_id
WHERE r.id = ANY(%s) AND r.ended_at IS NOT NULL ORDER BY r.id
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that has ended, with its last words, and what it and its own children have used."""

    run: UUID
    agent: str
    version: UUID
    state: str
    reason: str
    latency_ms: int
    words: dict[str, Any]  # Any: erasable JSON; empty once it was erased
    used: Spent


def heed_children(session: Session) -> None:
    """Note how the children have ended that calls of the run wait for."""
    if session.state.has_ended:
        return
    waiting = {UUID(call.child): call.number for call in session.state.calls if call.status == "delegated"}
    for child in _read_ended(list(waiting)) if waiting else ():
        _note_end(session, session.state.call(waiting[child.run]), child)


def _read_ended(children: list[UUID]) -> Iterator[Ended]:
    with borrowed() as connection, connection.cursor() as cursor:
        rows = cursor.execute(_ENDED, (list(e.ENDINGS), children)).fetchall()
        # What grandchildren that are not told yet may still use is charged: nobody would charge it later.
        used = {row[0]: read_state(cursor, row[0]).committed for row in rows}
    for run, agent, version, state, reason, latency_ms, words in rows:
        content = json.loads(words) if words else {}
        yield Ended(run, agent, version, state, reason, latency_ms, content, used[run])


def _note_end(session: Session, call: CallState, child: Ended) -> None:
    spec = session.version.catalogue[call.tool]
    used = {**child.used._asdict(), "usd": plain_decimal(child.used.usd)}
    facts = {
        **where_of(session, call),
        "attempt": call.attempts,
        "child": str(child.run),
        "latency_ms": child.latency_ms,
        "used": used,
    }
    if child.state != "completed":
        code = NOT_NEEDED if call.called_off else f"child_{child.state}"
        _note_failure(session, call, code, _tell_end(child), facts)
        return
    try:
        value = _read_answer(spec, child)
    except (MalformedJSON, ValueError) as garbage:
        _note_failure(session, call, "bad_output", f"its answer is not what was promised: {garbage}", facts)
        return
    _note_answer(session, call, child, value, facts)


def _read_answer(spec: ToolSpec, child: Ended) -> JSON:
    """Return a child's answer as its tool promises it; raises ValueError for one that is not."""
    answer = child.words.get("answer", ERASED)
    if spec.output_schema is None:
        return {"agent": child.agent, "run": str(child.run), "answer": answer}
    value: JSON = parse_json(answer.encode())
    problems = validate_output(spec, value)
    if problems:
        raise ValueError("; ".join(f"{each.path or 'it'} {each.message}" for each in problems[:3]))
    return value


def _note_answer(
    session: Session, call: CallState, child: Ended, value: JSON, facts: dict[str, Any]
) -> None:  # Any: JSON
    texts = [text for _, text in leaves_of(value)]
    sized = evidence.size_of(value, session.state.engine)
    told = {"code": "ok", **sized, **judge_answer(child.run, child.version, texts)}
    session.note(e.CALL_SUCCEEDED, {**facts, **told}, {"value": value})


def _note_failure(
    session: Session, call: CallState, code: str, detail: str, facts: dict[str, Any]
) -> None:  # Any: JSON
    told = {"code": code, "size": len(detail)}
    session.note(
        e.CALL_FAILED, {**facts, **told}, {"detail": detail, "value": None}, give_caps_back(session, call)
    )


def _tell_end(child: Ended) -> str:
    """Return what the planner is told of a child without an answer: how it ended, and what it had done by then."""
    why = f" ({child.reason.replace('_', ' ')})" if child.reason else ""
    return bound_detail(
        f"{child.agent} was given this task and {_HOW[child.state]}{why}. {child.words.get('summary', '')}"
    )


_HOW = {
    "halted": "was halted",
    "failed": "failed",
    "cancelled": "was cancelled",
    "expired": "ran out of time",
}
