"""What each kind of event changes in a run's state: one function of state, facts and event per kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentops.engine.events import Event
from agentops.engine.state import RunState

Facts = dict[str, Any]  # Any: JSON
Change = Callable[[RunState, Facts, Event], RunState]
