"""What the tests ask, and how they look at what comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runs.planner.answers import PlannerAnswer, PlannerFailure
from runs.planner.messages import PlannerRequest, ToolSchema

API_KEY = "sk-canary-5e3b"
PROMPT = "prompt-canary-91c7"

_QUESTION = PlannerRequest(
    model="model-1",
    messages=({"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}),
    tools=(ToolSchema("get_order", "Look up an order.", {"type": "object", "properties": {}}),),
    max_completion_tokens=500,
    timeout_s=20.0,
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    temperature=None,
)


def question(**changes: Any) -> PlannerRequest:
    """Return an ordinary request with some fields changed."""
    return replace(_QUESTION, **changes)


def answered(outcome: PlannerAnswer | PlannerFailure) -> PlannerAnswer:
    assert isinstance(outcome, PlannerAnswer), outcome
    return outcome


def failed(outcome: PlannerAnswer | PlannerFailure) -> PlannerFailure:
    assert isinstance(outcome, PlannerFailure), outcome
    return outcome
