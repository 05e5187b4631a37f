"""Budget arithmetic: what the next model call may cost at worst, and whether that is left."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agentops.engine.state import RunState

PER_MILLION = Decimal(1_000_000)
# An answer shorter than this is of no use: rather halt with what was done than buy half a sentence.
SMALLEST_COMPLETION = 16


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens; ``input`` is the dearest rate that an input token can cost."""

    input: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class Reservation:
    """The worst case of one model call, and the completion limit to send to the provider."""

    tokens: int
    usd: Decimal
    max_completion_tokens: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is missing: of the run's own limit, or (``shared``) of what it holds of shared budgets."""

    limit: str
    left: str
    needed: str
    shared: bool


def plan_reservation(
    state: RunState, *, prompt_tokens: int, completion_tokens: int, rates: Rates
) -> Reservation | Shortfall:
    """Clamp the completion to what is left; return the worst case, or what is missing.

    ``prompt_tokens`` is an upper bound of the prompt. With what is spent so far the reservation never
    exceeds a limit of the run, nor what it holds of shared budgets.
    """
    tokens_left = state.limits.tokens - state.spent.tokens
    usd_left = state.limits.usd - state.spent.usd
    completion = min(
        completion_tokens, tokens_left - prompt_tokens, _affordable(usd_left, prompt_tokens, rates)
    )
    if completion < SMALLEST_COMPLETION:
        return _own_shortfall(tokens_left, usd_left, prompt_tokens, rates)
    reservation = _reserve(prompt_tokens, completion, rates)
    return _shared_shortfall(state, reservation) or reservation


def _reserve(prompt_tokens: int, completion: int, rates: Rates) -> Reservation:
    usd = (prompt_tokens * rates.input + completion * rates.output) / PER_MILLION
    return Reservation(prompt_tokens + completion, usd, completion)


def _affordable(usd_left: Decimal, prompt_tokens: int, rates: Rates) -> int:
    """Return how many completion tokens the money buys after the prompt."""
    after_prompt = usd_left * PER_MILLION - prompt_tokens * rates.input
    if after_prompt < 0:
        return 0
    return int(after_prompt // rates.output) if rates.output else 1 << 31


def _own_shortfall(tokens_left: int, usd_left: Decimal, prompt_tokens: int, rates: Rates) -> Shortfall:
    least = _reserve(prompt_tokens, SMALLEST_COMPLETION, rates)
    if least.tokens > tokens_left:
        return Shortfall("tokens", str(tokens_left), str(least.tokens), shared=False)
    return Shortfall("usd", str(usd_left), str(least.usd), shared=False)


def _shared_shortfall(state: RunState, wanted: Reservation) -> Shortfall | None:
    held, spent = state.drawn, state.spent
    if held.steps is not None and held.steps < state.next_step:
        return Shortfall("steps", str(held.steps - spent.steps), "1", shared=True)
    if held.tokens is not None and held.tokens - spent.tokens < wanted.tokens:
        return Shortfall("tokens", str(held.tokens - spent.tokens), str(wanted.tokens), shared=True)
    if held.usd is not None and held.usd - spent.usd < wanted.usd:
        return Shortfall("usd", str(held.usd - spent.usd), str(wanted.usd), shared=True)
    return None
