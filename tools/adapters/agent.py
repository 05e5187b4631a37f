"""The `agent` adapter: another agent of the team is given a task, and its answer is the result.

Configuration: see `tools.delegation`. A run that calls it starts a child and waits for that without a worker; so the
driver carries such calls out itself, and nothing else can make one: what has no run has nothing to share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tools.adapters.base import AdapterOptions
from tools.calls import Call
from tools.delegation import find_faults
from tools.outcomes import Outcome, fail


class AgentAdapter:
    """Say what such a tool's configuration lacks; see the module's docstring for who makes its calls."""

    def __init__(self, options: AdapterOptions) -> None:
        pass

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        """Refuse: a lookup, a preview or a trial has no run that a child could act for."""
        return fail("not_allowed", "An agent is given tasks by runs only, each within its own limits.")

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome | None:
        """Return nothing: a child is started with the attempt or not at all, so nothing is in doubt."""
        return None

    def check_config(self, config: Mapping[str, Any]) -> list[str]:
        """Return what has to be put right in a configuration."""
        return find_faults(config)
