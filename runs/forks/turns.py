"""The turns of a fork: recalled up to its step, and from there on asked of a model like any other run's."""

from __future__ import annotations

from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.ledger.store import StoredEntry
from runs import planning, turns
from runs.forks.plans import Fork
from runs.free_turns import NOTHING_USED, may_go_on
from runs.session import Session

_RECALLED = "SELECT (facts ->> 'recalled')::int FROM ledger_entry WHERE stream = %s AND facts ? 'recalled'"
_FREE: dict[str, Any] = {"tokens": 0, "usd": "0", "estimated": False}  # Any: facts
_UNRESERVED: dict[str, Any] = {"reserved_tokens": 0, "reserved_usd": "0", "max_completion_tokens": 0}
_OF_DECISION = ("model", "price_version", "finish_reason", "calls", "final", "problem", "size", "cut_by")


def take_turn(session: Session, fork: Fork, step: int, attempt: int) -> None:
    """Recall a step before that of the fork; ask the model about the others, once the user has said the same."""
    if step < fork.step:
        _recall(session, fork, step)
    else:
        _say(session, fork, *_before(fork, step))
        turns.ask_planner(session, step, attempt)


def _recall(session: Session, fork: Fork, step: int) -> None:
    """Note the decision of a step as it was recorded; it has cost this run nothing but the step."""
    if not may_go_on(session):
        return
    request, decided = fork.recorded.requests[step], fork.recorded.decisions[step]
    _say(session, fork, *_before(fork, step))
    planning.freeze_by_words(session)
    asked = {"step": step, "attempt": 1, "model": request.facts["model"]}
    told = {"price_version": request.facts["price_version"], "recalled": request.seq}
    session.note(e.MODEL_REQUESTED, {**asked, **told, **_UNRESERVED})
    _say(session, fork, request.seq, decided.seq)
    kept = {name: decided.facts[name] for name in _OF_DECISION if name in decided.facts}
    unused = {"response_id": "", "latency_ms": 0, "usage": NOTHING_USED, **_FREE}
    session.note(e.STEP_DECIDED, {"step": step, **kept, **unused, "recalled": decided.seq}, decided.content)
    session.commit()


def _before(fork: Fork, step: int) -> tuple[int, int]:
    """Return between which entries the user said what the planner knew in a step, and not in the one before."""
    recorded = fork.recorded
    if step not in recorded.requests:
        return 0, 0
    earlier = recorded.decisions.get(step - 1)
    return (earlier.seq if earlier else 0), recorded.requests[step].seq


def _say(session: Session, fork: Fork, after: int, before: int) -> None:
    """Let the user say what they said then; once, however often a driver comes here."""
    said = fork.recorded.words_between(after, before)
    known = read_recalled(session) if said else set()
    for each in said:
        if each.seq not in known:
            facts = {"size": each.facts["size"], "recalled": each.seq}
            session.note(e.MESSAGE_RECEIVED, facts, each.content)


def read_recalled(session: Session) -> set[int]:
    """Return which entries of the recording the fork has taken up so far."""
    with borrowed() as connection:
        rows = connection.execute(_RECALLED, (session.context.run_id,)).fetchall()
    pending = {draft.facts["recalled"] for draft, _ in session.pending if "recalled" in draft.facts}
    return {seq for (seq,) in rows} | pending


def recall_summary(session: Session, fork: Fork, through: int) -> bool:
    """Note the summary that was written for a step before that of the fork; return whether there was one."""
    found = fork.recorded.summaries.get(through)
    if found is None or found.seq > fork.recorded.requests[fork.step].seq:
        return False
    if found.kind == e.SUMMARY_FAILED:
        session.note(e.SUMMARY_FAILED, {**_of_summary(found), "asked": False}, found.content)
        return True
    asked = {"through": through, "model": found.facts["model"], "price_version": found.facts["price_version"]}
    session.note(e.SUMMARY_REQUESTED, {**asked, **_UNRESERVED, "recalled": found.seq})
    session.note(e.SUMMARY_WRITTEN, _of_summary(found), found.content)
    session.commit()
    return True


def _of_summary(found: StoredEntry) -> dict[str, Any]:  # Any: facts
    return {**found.facts, **_FREE, "usage": NOTHING_USED, "latency_ms": 0, "recalled": found.seq}
