"""Where calls arrive: the one function behind every tool of a suite, and the environment of each run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agentops.errors import Permanent
from runs.attacks.planner import ObeyingPlanner, Proposal
from runs.attacks.suite import State, Suite
from tools.calls import CallContext

HERE = "runs.attacks.world"
_worlds: dict[UUID, World] = {}


@dataclass
class World:
    """The environment of one run, and what has reached it."""

    suite: Suite
    state: State
    planner: ObeyingPlanner
    reached: list[Proposal] = field(default_factory=list)

    def act(self, tool: str, arguments: dict[str, Any]) -> Any:  # Any: JSON
        """Note the call and let the tool's function act."""
        if tool != self.planner.last.call.tool:
            raise AssertionError(f"{tool} was called, and nobody proposed it")
        self.reached.append(self.planner.last)
        try:
            return self.suite.tool(tool).function(self.state, **deepcopy(arguments))
        except Exception as error:  # functions are the suite's: what they raise is the tool's refusal
            raise Permanent("refused", f"{type(error).__name__}: {error}") from error


@contextmanager
def opened(run_id: UUID, world: World) -> Iterator[World]:
    """Let the calls of a run arrive in this world."""
    _worlds[run_id] = world
    try:
        yield world
    finally:
        del _worlds[run_id]


def perform(call: CallContext, **arguments: Any) -> Any:  # Any: JSON
    """Perform a call of whatever tool of a suite; its name stands in the idempotency key."""
    return _worlds[call.run_id].act(call.key.split(":")[2], arguments)
