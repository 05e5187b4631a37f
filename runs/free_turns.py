"""A turn that no model was asked for: decided by somebody outside or by a rule, recorded like any other, and free."""

from __future__ import annotations

from collections.abc import Mapping

from agentops.engine import events as e
from agentops.engine.budgets import FREE
from runs.authority import heed_standing
from runs.planner.answers import ProposedCall
from runs.reservations import hold
from runs.session import Session
from runs.turns import describe_call, keep_call

NOTHING_USED = {"input": 0, "cached": 0, "cache_write": 0, "output": 0, "reasoning": 0}
NO_PRICE = ""


def may_go_on(session: Session) -> bool:
    """Return whether those who act still may, and a step is within the budgets; what forbids it is noted."""
    if not heed_standing(session, afresh=False):
        return False
    return hold(session, prompt_tokens=0, completion_tokens=0, rates=FREE) is not None


def note_turn(
    session: Session,
    step: int,
    planner: str,
    calls: Mapping[int, ProposedCall],
    *,
    text: str = "",
    thought: str = "",
) -> None:
    """Note the decision of a step: calls by number, or without any the final answer.

    ``planner`` stands for a model's name.
    """
    asked = {"model": planner, "price_version": NO_PRICE}
    reserved = {"reserved_tokens": 0, "reserved_usd": "0", "max_completion_tokens": 0}
    session.note(e.MODEL_REQUESTED, {"step": step, "attempt": 1, **asked, **reserved})
    facts = {
        "step": step,
        **asked,
        "finish_reason": "stop",
        "response_id": "",
        "latency_ms": 0,
        "usage": NOTHING_USED,
        "calls": [describe_call(number, call, session.version) for number, call in calls.items()],
        "final": not calls,
        "problem": None,
        "size": sum(len(call.raw_arguments) for call in calls.values()) or len(text),
        "tokens": 0,
        "usd": "0",
        "estimated": False,
    }
    kept = [keep_call(number, call) for number, call in calls.items()]
    session.note(e.STEP_DECIDED, facts, {"thought": thought, "text": text, "refusal": None, "calls": kept})
