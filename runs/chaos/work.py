"""What a run of the campaign does: a few turns, each with one effect at each server, all named beforehand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from runs.chaos.arena import TOOLS

TURNS = 4


@dataclass(frozen=True, slots=True)
class Order:
    """One run's work. Its name is in the message, in the planner's script and in the name of every effect."""

    name: str
    turns: tuple[tuple[str, ...], ...]  # the tools of each turn, in their order

    @property
    def message(self) -> str:
        return f"Carry out the order {self.name}."

    @property
    def calls(self) -> tuple[tuple[int, str], ...]:
        """Return turn and tool of every call, in the order in which they are made."""
        return tuple((turn, tool) for turn, tools in enumerate(self.turns, start=1) for tool in tools)

    def effect(self, turn: int, tool: str) -> str:
        """Return the name of an effect: the same whenever the model is asked for this turn."""
        return f"{self.name}/{turn}/{tool}"

    def script(self, delay_s: float) -> dict[str, Any]:  # Any: JSON
        """Return the planner's script."""
        turns = [
            {"delay_s": delay_s, "tool_calls": [self._call(number, tool) for tool in tools]}
            for number, tools in enumerate(self.turns, start=1)
        ]
        return {"match": {"contains": f"order {self.name}."}, "turns": [*turns, {"content": "Done."}]}

    def _call(self, turn: int, tool: str) -> dict[str, Any]:
        return {"name": tool, "arguments": {"effect": self.effect(turn, tool)}}


def draw_order(number: int, dice: random.Random) -> Order:
    """Return the order of that number; the dice decide in which order each turn goes to the servers."""
    return Order(f"W-{number:05}", tuple(tuple(dice.sample(TOOLS, len(TOOLS))) for _ in range(TURNS)))
