"""Taking up a call of an agent outside: what a planner's answer is in other runs. Nobody is asked, nothing is paid."""

from __future__ import annotations

from typing import Any

from agentops.engine import events as e
from agentops.engine.budgets import FREE
from runs.authority import heed_standing
from runs.models import EXTERNAL
from runs.planner.answers import ProposedCall
from runs.session import Session
from runs.turns import describe_call, hold, keep_call

NOTHING_USED = {"input": 0, "cached": 0, "cache_write": 0, "output": 0, "reasoning": 0}
NO_PRICE = ""


def take_up(session: Session, step: int) -> None:
    """Note the oldest call that has arrived as the decision of a step, within the budgets of steps."""
    if not heed_standing(session, afresh=False):
        return
    if hold(session, prompt_tokens=0, completion_tokens=0, rates=FREE) is None:
        return
    content = session.content_of(session.state.inbox[0]) or {}
    call = _read(content)
    asked = {"model": EXTERNAL, "price_version": NO_PRICE}
    reserved = {"reserved_tokens": 0, "reserved_usd": "0", "max_completion_tokens": 0}
    session.note(e.MODEL_REQUESTED, {"step": step, "attempt": 1, **asked, **reserved})
    facts = {
        "step": step,
        **asked,
        "finish_reason": "received",
        "response_id": "",
        "latency_ms": 0,
        "usage": NOTHING_USED,
        "calls": [describe_call(step, call, session.version)],
        "final": False,
        "problem": None,
        "size": len(call.raw_arguments),
        "tokens": 0,
        "usd": "0",
        "estimated": False,
    }
    kept = {"thought": str(content.get("why") or ""), "text": "", "refusal": None}
    session.note(e.STEP_DECIDED, facts, {**kept, "calls": [keep_call(step, call)]})


def _read(content: dict[str, Any]) -> ProposedCall:  # Any: JSON
    """Return the recorded call; one that was erased before it was taken up is none."""
    if not content:
        return ProposedCall("", None, "", "", "malformed_call", "the call was erased")
    return ProposedCall(
        content["tool"], content["arguments"], content["raw"] or "", "", content["problem"], content["problem_detail"]
    )  # fmt: skip
