"""A planner without a model, for measuring everything else."""

from __future__ import annotations

import json
import time

from runs.planner.answers import PlannerAnswer, PlannerFailure, ProposedCall, Usage
from runs.planner.messages import Message, PlannerRequest

_PADDING = "x" * 170


class NullPlanner:
    """Propose the tool `noop` for `steps` turns, `latency_s` seconds each, then answer at once.

    A step is a decision and its call: the closing answer, which has no call, adds no latency to the steps.

    Arguments are about 200 bytes and differ per turn, so that no loop detection fires. A turn's number is
    the count of assistant messages, or what the last `noop` call says where a context window dropped some.
    """

    def __init__(self, *, latency_s: float = 0.0, steps: int = 10) -> None:
        self._latency_s = latency_s
        self._steps = steps

    def ask(self, request: PlannerRequest) -> PlannerAnswer | PlannerFailure:
        """Return the next scripted turn."""
        turn = _turn(request.messages)
        done = turn >= self._steps
        if self._latency_s and not done:
            time.sleep(self._latency_s)
        return PlannerAnswer(
            text="Done." if done else "",
            thought="",
            calls=() if done else (_noop(turn),),
            usage=Usage(100, 20, 0, 0, 0),
            finish_reason="stop" if done else "tool_calls",
            model=request.model,
            response_id=f"null-{turn}",
            latency_ms=round(self._latency_s * 1000),
            refusal=None,
        )


def _noop(turn: int) -> ProposedCall:
    arguments = {"turn": turn, "padding": _PADDING}
    return ProposedCall("noop", arguments, json.dumps(arguments), f"call_{turn}", None)


def _turn(messages: tuple[Message, ...]) -> int:
    turns = [message for message in messages if message.get("role") == "assistant"]
    calls = turns[-1].get("tool_calls") if turns else None
    if not calls:
        return len(turns)
    return max(len(turns), int(json.loads(calls[-1]["function"]["arguments"]).get("turn", -1)) + 1)
