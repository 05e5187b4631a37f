"""The last words of a run, written without a model: what was done, what was not, and why it ended."""

from __future__ import annotations

from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.commands import Finish
from runs.session import Session

_WHY = {
    "budget_reached": "A budget is used up.",
    "stuck": "The agent went in circles.",
    "circuit_open": "A tool that it needs is out of order.",
    "killed": "An operator stopped it.",
    "cancelled_by_user": "It was cancelled.",
    "outcome_unknown": "The outcome of a call is unknown, and a person has to look.",
    "planner_error": "The model could not be asked.",
    "expired": "It waited longer than it may.",
}
_CALLS = """
SELECT tool_name, effect, state, count(*) FROM runs_tool_call WHERE run_id = %s GROUP BY 1, 2, 3 ORDER BY 1, 3
"""
OPEN = {"proposed", "allowed", "approved", "waiting", "asked", "deferred", "retrying"}


def write_ending(session: Session, command: Finish) -> dict[str, Any]:
    """Return the content of the ending: the model's answer, or a summary."""
    if command.event == e.RUN_COMPLETED:
        return {"answer": _answer(session)}
    session.commit()
    with borrowed() as connection:
        rows = connection.execute(_CALLS, (session.context.run_id,)).fetchall()
    done = [f"{count} × {tool}" for tool, effect, state, count in rows if state == "succeeded" and effect != "read"]
    open_calls = [f"{count} × {tool} ({state})" for tool, _, state, count in rows if state in OPEN]
    doubtful = [f"{count} × {tool}" for tool, _, state, count in rows if state in ("unknown", "parked", "started")]
    return {
        "summary": _compose(command.reason, done, open_calls, doubtful),
        "done": done,
        "not_done": open_calls,
        "unknown": doubtful,
    }


def _compose(reason: str, done: list[str], open_calls: list[str], doubtful: list[str]) -> str:
    sentences = [_WHY.get(reason, "The run ended early.")]
    sentences.append(f"Done: {', '.join(done)}." if done else "Nothing was changed in the world.")
    if open_calls:
        sentences.append(f"Not done: {', '.join(open_calls)}.")
    if doubtful:
        sentences.append(f"Unknown whether it happened: {', '.join(doubtful)}.")
    return " ".join(sentences)


def _answer(session: Session) -> str:
    for mark in reversed(session.state.marks):
        content = session.content_of(mark.seq) or {}
        if "calls" in content:
            return str(content.get("text") or content.get("refusal") or "")
    return ""
