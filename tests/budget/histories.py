"""What a run's ledger says about its budgets, event by event."""

from __future__ import annotations

from collections.abc import Iterator

from agentops.engine import events as e
from agentops.engine.fold import fold
from agentops.engine.state import RunState
from runs.histories import read_history
from runs.models import Run


def states_when_asking(run: Run) -> Iterator[RunState]:
    """Yield the state after each request to a model."""
    state: RunState | None = None
    for event in read_history(run.pk):
        state = fold(state, event)
        if event.kind == e.MODEL_REQUESTED:
            yield state


def assert_reservations_fit(run: Run) -> None:
    """Whatever was asked of a provider, its worst case was within the run's limits and within what it held."""
    for state in states_when_asking(run):
        tokens, usd = state.spent.tokens + state.reserved_tokens, state.spent.usd + state.reserved_usd
        assert tokens <= state.limits.tokens
        assert usd <= state.limits.usd
        assert state.spent.steps <= state.limits.steps
        assert state.drawn.tokens is None or tokens <= state.drawn.tokens
        assert state.drawn.usd is None or usd <= state.drawn.usd
        assert state.drawn.steps is None or state.spent.steps <= state.drawn.steps
