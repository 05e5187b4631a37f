"""Taking up a call of an agent outside: what a planner's answer is in other runs. Nobody is asked, nothing is paid."""

from __future__ import annotations

from typing import Any

from runs.free_turns import may_go_on, note_turn
from runs.models import EXTERNAL
from runs.planner.answers import ProposedCall
from runs.session import Session


def take_up(session: Session, step: int) -> None:
    """Note the oldest call that has arrived as the decision of a step, within the budgets of steps."""
    if not may_go_on(session):
        return
    content = session.content_of(session.state.inbox[0]) or {}
    why = str(content.get("why") or "")
    note_turn(session, step, EXTERNAL, {step: _read(content)}, thought=why)


def _read(content: dict[str, Any]) -> ProposedCall:  # Any: JSON
    """Return the recorded call; one that was erased before it was taken up is none."""
    if not content:
        return ProposedCall("", None, "", "", "malformed_call", "the call was erased")
    return ProposedCall(
        content["tool"], content["arguments"], content["raw"] or "", "", content["problem"], content["problem_detail"]
    )  # fmt: skip
