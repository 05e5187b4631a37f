"""The last words of a run, written without a model: what was done, what was not, and why it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.commands import Finish
from agentops.engine.state import CallState, RunState
from runs.session import Session
from runs.undoing import steps

_LIMITS = {
    "steps": "The run's steps are used up.",
    "tokens": "The run's tokens are used up.",
    "usd": "The run's budget for USD is used up.",
    "seconds": "The run's working time is used up.",
    "price": "The model has no price.",
}
_UNITS = {"shared_steps": "steps", "shared_tokens": "tokens", "shared_usd": "USD"}
_WINDOWS = {"hour": "this hour", "day": "today", "month": "this month"}
_WHY = {
    "stuck": "The agent went in circles.",
    "circuit_open": "A tool that it needs is out of order.",
    "killed": "An operator stopped it.",
    "cancelled_by_user": "It was cancelled.",
    "outcome_unknown": "The outcome of a call is unknown, and a person has to look.",
    "planner_error": "The model could not be asked.",
    "expired": "It waited longer than it may.",
    "identity_suspended": "The agent was suspended.",
    "identity_revoked": "The agent was revoked.",
    "identity_expired": "The agent's time is over.",
    "account_inactive": "The agent's account is switched off.",
    "initiator_inactive": "The account of who started it was closed.",
    "application_revoked": "The application that it worked for was revoked.",
    "parent_ended": "The run that it worked for has ended.",
    "parent_stopped": "An agent that it worked for was stopped.",
    "everything_stopped": "All runs were stopped.",
    "principal_stopped": "Whatever is done for this end user was stopped.",
    "provider_stopped": "All work with its model provider was stopped.",
    "credential_stopped": "The key that it was started with was stopped.",
}
WORDS_LIMIT = 4_000
_DONE = """
SELECT tool_name, count(*) FROM runs_tool_call
WHERE run_id = %s AND state = 'succeeded' AND effect IN ('reversible', 'irreversible') GROUP BY 1 ORDER BY 1
"""


def write_ending(session: Session, command: Finish) -> dict[str, Any]:
    """Return the content of the ending: the model's answer, or a summary."""
    if command.event == e.RUN_COMPLETED and not session.state.is_external:
        return {"answer": _answer(session)}
    session.commit()
    done, undone, doubtful = _tell_work(session)
    summary = _compose(_why(session.state, command), done, undone, doubtful)
    if session.undo is not None:
        summary = f"{_why(session.state, command)}\n{steps.write_ending(session, session.undo)}"
    if session.state.cut_off:
        summary += f" Its answer was cut off: {_answer(session)}"
    return {
        "summary": summary,
        "done": done,
        "not_done": undone,
        "unknown": doubtful,
    }


def _tell_work(session: Session) -> tuple[list[str], list[str], list[str]]:
    """Return what was done, what was not, and what is unknown."""
    with borrowed() as connection:
        rows = connection.execute(_DONE, (session.context.run_id,)).fetchall()
    open_calls = session.state.open_calls
    undone = _count(f"{call.tool} ({call.status})" for call in open_calls if not _is_doubtful(call))
    doubtful = _count(call.tool for call in open_calls if _is_doubtful(call))
    return [f"{count} × {tool}" for tool, count in rows], undone, doubtful


def tell_progress(session: Session) -> dict[str, Any]:  # Any: erasable JSON
    """Return, for who decides whether the run goes on, what it has done so far, and what the model says of the rest."""
    done, undone, doubtful = _tell_work(session)
    said = (_last_decision(session).get("text") or _last_decision(session).get("thought") or "")[:WORDS_LIMIT]
    return {"done": done, "not_done": undone, "unknown": doubtful, "said": said}


def _last_decision(session: Session) -> dict[str, Any]:  # Any: erasable JSON
    for mark in reversed(session.state.marks):
        content = session.content_of(mark.seq) or {}
        if "calls" in content and "thought" in content:  # a person's edit holds calls, too
            return dict(content)
    return {}


def _why(state: RunState, command: Finish) -> str:
    if command.event == e.RUN_COMPLETED:
        return "No further call came."
    if command.reason != "budget_reached":
        return _WHY.get(command.reason, "The run ended early.")
    if command.limit in _LIMITS:
        return _LIMITS[command.limit]
    unit = _UNITS.get(command.limit, command.limit)
    whose, _, window = state.exhausted_of.partition(" ")
    if not whose:  # noted before entries named it
        return f"A shared budget for {unit} is used up."
    return f"The {whose}'s budget for {unit} {_WINDOWS[window]} is used up."


def _is_doubtful(call: CallState) -> bool:
    """A call that waits to be tried again may have had its effect the first time."""
    return call.in_doubt or call.status in ("unknown", "parked", "started")


def _count(names: Iterable[str]) -> list[str]:
    return [f"{count} × {name}" for name, count in Counter(names).items()]


def _compose(why: str, done: list[str], open_calls: list[str], doubtful: list[str]) -> str:
    sentences = [why]
    if done:
        sentences.append(f"Done: {', '.join(done)}.")
    elif not doubtful:
        sentences.append("Nothing was changed in the world.")
    if open_calls:
        sentences.append(f"Not done: {', '.join(open_calls)}.")
    if doubtful:
        sentences.append(f"Unknown whether it happened: {', '.join(doubtful)}.")
    return " ".join(sentences)


def _answer(session: Session) -> str:
    if session.state.closed:
        return str((session.content_of(session.state.closed) or {}).get("text", ""))
    for mark in reversed(session.state.marks):
        content = session.content_of(mark.seq) or {}
        if "calls" in content:
            return str(content.get("text") or content.get("refusal") or "")
    return ""
