"""What a call of a model is charged, and which model was asked at what price: as facts of its entries."""

from __future__ import annotations

from typing import Any

from agentops.amounts import plain_decimal
from runs.planner.answers import Usage
from runs.planner.prices import Price, cost
from runs.routing.choosing import NoRoute, Route
from runs.session import Session

# No breaker of a model that could be asked lets a call through.
CIRCUIT_OPEN = "planner_circuit_open"
NOTHING: dict[str, Any] = {"tokens": 0, "usd": "0", "estimated": False}  # Any: facts


def charge(session: Session, usage: Usage | None, price: Price) -> dict[str, Any]:
    """Return tokens and USD by the provider's usage; without one, the whole reservation, marked estimated."""
    if usage is None:
        return charge_lost(session)
    tokens, usd = usage.input_tokens + usage.output_tokens, cost(price, usage)
    taken = {"tokens": tokens, "usd": plain_decimal(usd), "estimated": False}
    if tokens > session.state.reserved_tokens or usd > session.state.reserved_usd:
        taken["overrun"] = True  # the provider took more than it was allowed
    return taken


def describe_route(route: Route) -> dict[str, Any]:  # Any: JSON
    """Return, as facts, which model is asked and why, and what is reserved for it."""
    return {
        "model": route.target.name,
        "price_version": route.price.version,
        "reserved_tokens": route.reservation.tokens,
        "reserved_usd": plain_decimal(route.reservation.usd),
        "max_completion_tokens": route.reservation.max_completion_tokens,
        **route.facts,
    }


def describe_priced(route: Route) -> dict[str, str]:
    """Return, as facts, which model was asked, by the name that it is priced under, and by which price."""
    return {"requested_model": route.target.name, "price_version": route.price.version}


def describe_usage(measured: Usage | None) -> dict[str, int]:
    """Return, as facts, what a provider says it took."""
    usage = measured or Usage(0, 0, 0, 0, 0)
    return {
        "input": usage.input_tokens,
        "cached": usage.cached_input_tokens,
        "cache_write": usage.cache_write_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.reasoning_tokens,
    }


def charge_lost(session: Session) -> dict[str, Any]:  # Any: facts
    """Return what a call is charged that died with its driver: all that was reserved for it."""
    state = session.state
    return {"tokens": state.reserved_tokens, "usd": plain_decimal(state.reserved_usd), "estimated": True}


def find_lacking(route: NoRoute) -> str:
    """Return a word for why no model could be asked."""
    if route.unpriced is not None:
        return "no_price"
    return CIRCUIT_OPEN if route.retry_at is not None else "no_budget"
