"""Which role a model call has, and in which order the models of that role are asked: no model decides it.

The role follows from the run's stream alone. The order follows from it and from what each model would cost at worst;
whether a model answers at all is the driver's to find out, in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from agentops.engine.routing import Due, Role, Why
from agentops.engine.state import CallState, RunState

# Before this engine version every call of a run was put to one model.
ROUTED = 12
# A role names at most so many models: a step is asked for three times, so each gets its chance.
MOST_MODELS = 3
# The provider does not answer, or will not now: another one may. What it answered wrongly is asked of it again.
DOWN = frozenset(
    (
        "planner_unreachable",
        "planner_timeout",
        "planner_connection_lost",
        "planner_rate_limited",
        "planner_unavailable",
    )
)
# Refusals for what the planner wrote, and not for what it may do.
_INVALID = frozenset(
    (
        "invalid_arguments",
        "invalid_name",
        "malformed_arguments",
        "malformed_call",
        "not_allow_listed",
        "truncated",
    )
)


class Offer(NamedTuple):
    """A model, and what the next call would cost with it at worst, in USD."""

    model: str
    usd: Decimal


def is_routed(state: RunState) -> bool:
    """Whether the run goes by rules that know roles."""
    return state.engine >= ROUTED


def choose_role(state: RunState) -> tuple[Role, Why]:
    """Return the role of the next call of the planner, and why it has that."""
    routing = state.routing
    if routing.due:
        return "plan", routing.due
    if state.asks_again and routing.role and routing.why:
        return routing.role, routing.why
    invalid, failed = count_trouble(state)
    if 0 < routing.escalate_invalid <= invalid:
        return "plan", "invalid_arguments"
    if 0 < routing.escalate_failed <= failed:
        return "plan", "failed_steps"
    return "execute", "next_step"


def count_trouble(state: RunState) -> tuple[int, int]:
    """Return how many steps in a row proposed what nobody could call, and in how many calls failed and none succeeded.

    Both are counted up to the step whose calls have settled.
    """
    routing, calls = state.routing, state.calls
    if not calls:
        return routing.invalid, routing.failed
    invalid = any(_is_invalid(call) for call in calls)
    statuses = {call.status for call in calls}
    failed = "failed" in statuses and "succeeded" not in statuses
    return routing.invalid + 1 if invalid else 0, routing.failed + 1 if failed else 0


def _is_invalid(call: CallState) -> bool:
    return call.status == "refused" and call.code in _INVALID


def is_low(state: RunState) -> bool:
    """Whether so little of the run's own tokens or USD is left that its calls go to the cheapest model."""
    percent, limits, committed = state.routing.demote_percent, state.limits, state.committed
    tokens_left, usd_left = limits.tokens - committed.tokens, limits.usd - committed.usd
    return tokens_left * 100 < percent * limits.tokens or usd_left * 100 < percent * limits.usd


def rank_models(offers: Sequence[Offer], tried: Sequence[str], *, low: bool) -> list[str]:
    """Return the models in the order in which they are asked.

    That is the version's order, or the cheapest first where little is left; those that have failed come last.
    """
    order = sorted(offers, key=lambda offer: offer.usd) if low else list(offers)
    return [each.model for each in sorted(order, key=lambda offer: offer.model in tried)]


def begin_call(state: RunState, role: str, why: str, low: bool) -> RunState:
    """Return the state with the next call of the planner taken up.

    Raises ValueError for another role, reason or order than the run's rules say: the stream was written by others.
    """
    due_role, due_why = choose_role(state)
    if (role, why, low) != (due_role, due_why, is_low(state)):
        raise ValueError(f"another call is due: {due_role}, {due_why}")
    routing = state.routing._replace(due="", role=due_role, why=due_why)
    if state.asks_again:
        return state._replace(routing=routing)
    invalid, failed = (0, 0) if role == "plan" else count_trouble(state)
    return state._replace(routing=routing._replace(invalid=invalid, failed=failed))


def note_trial(state: RunState, code: str, model: str) -> RunState:
    """Return the state after a model has failed: one whose provider is down is asked last for this step."""
    if code not in DOWN or not model:
        return state
    tried = (*state.routing.tried, *(() if model in state.routing.tried else (model,)))
    return state._replace(routing=state.routing._replace(tried=tried))


def end_trials(state: RunState) -> RunState:
    """Return the state after an answer: the next step begins with the first choice."""
    return state._replace(routing=state.routing._replace(tried=())) if state.routing.tried else state


def expect_plan(state: RunState, due: Due) -> RunState:
    """Return the state whose next call is a planning one; what was due before stays the reason."""
    return state._replace(routing=state.routing._replace(due=state.routing.due or due))
