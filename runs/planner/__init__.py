"""Planners: whoever proposes the next action of a run.

A planner takes a request and gives back an answer or a failure, as values; it decides nothing, retries
nothing and knows no database. Settings come in as arguments.
"""

from __future__ import annotations

from typing import Literal, Protocol

from runs.planner.answers import PlannerAnswer, PlannerFailure
from runs.planner.messages import PlannerRequest
from runs.planner.null import NullPlanner
from runs.planner.openai_chat import DEFAULT_BASE_URL, OpenAIPlanner

PlannerKind = Literal["openai", "null"]


class Planner(Protocol):
    """The port: one question, one value back."""

    def ask(self, request: PlannerRequest) -> PlannerAnswer | PlannerFailure:
        """Return the planner's turn; raises nothing for what a provider does."""


def build_planner(
    kind: PlannerKind,
    *,
    base_url: str = "",
    api_key: str = "",
    connect_timeout_s: float = 5.0,
    total_timeout_s: float = 60.0,
    proxy_url: str | None = None,
    latency_s: float = 0.0,
    steps: int = 10,
) -> Planner:
    """Return the planner of a kind. "openai" takes all but the last two arguments, "null" those two.

    An empty `base_url` is OpenAI's own. Raises ValueError for an unknown kind or unusable settings.
    """
    if kind == "null":
        return NullPlanner(latency_s=latency_s, steps=steps)
    if kind == "openai":
        return OpenAIPlanner(
            api_key=api_key,
            base_url=base_url or DEFAULT_BASE_URL,
            connect_timeout_s=connect_timeout_s,
            total_timeout_s=total_timeout_s,
            proxy_url=proxy_url,
        )
    raise ValueError(f"unknown planner kind: {kind!r}")
