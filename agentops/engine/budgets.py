"""Budget arithmetic: what the next model call may cost at worst, and whether that is left."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal

from agentops.engine.state import LimitReached, RunState

PER_MILLION = Decimal(1_000_000)
# The unit in which money is kept. What is reserved is rounded up to it, like what is charged: a reservation
# that is finer than the rows it is written to would leave crumbs behind.
QUANTUM = Decimal("1e-8")
# An answer shorter than this is of no use: rather halt with what was done than buy half a sentence.
SMALLEST_COMPLETION = 16


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens; ``input`` is the dearest rate that an input token can cost."""

    input: Decimal
    output: Decimal


FREE = Rates(Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Reservation:
    """The worst case of one model call, and the completion limit to send to the provider.

    ``clamped_by``: the limit of the run (tokens or usd) that leaves less room than the version grants, if any.
    """

    tokens: int
    usd: Decimal
    max_completion_tokens: int
    clamped_by: str = ""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is missing, of which limit; of a shared budget also whose it is (team, agent) and its window."""

    limit: LimitReached
    left: str
    needed: str
    whose: str = ""
    window: str = ""


@dataclass(frozen=True, slots=True)
class DrawFirst:
    """The run's own limits allow the call; what the run holds of shared budgets does not cover it."""

    wanted: Reservation


@dataclass(frozen=True, slots=True)
class Amount:
    """Steps, tokens and USD together."""

    steps: int
    tokens: int
    usd: Decimal

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.steps + other.steps, self.tokens + other.tokens, self.usd + other.usd)

    def __sub__(self, other: Amount) -> Amount:
        return self + -other

    def __neg__(self) -> Amount:
        return Amount(-self.steps, -self.tokens, -self.usd)

    @classmethod
    def most(cls, amounts: Collection[Amount]) -> Amount:
        """Return the largest of each unit."""
        return cls(max(a.steps for a in amounts), max(a.tokens for a in amounts), max(a.usd for a in amounts))

    @classmethod
    def least(cls, amounts: Collection[Amount]) -> Amount:
        """Return the smallest of each unit."""
        return cls(min(a.steps for a in amounts), min(a.tokens for a in amounts), min(a.usd for a in amounts))


def plan_reservation(
    state: RunState, *, prompt_tokens: int, completion_tokens: int, rates: Rates, now: datetime
) -> Reservation | DrawFirst | Shortfall:
    """Clamp the completion to what is left; return the worst case, or what is missing.

    ``prompt_tokens`` is an upper bound of the prompt. With what is spent so far the reservation never
    exceeds a limit of the run, nor what it holds of shared budgets.
    """
    committed = state.committed
    tokens_left = state.limits.tokens - committed.tokens
    usd_left = state.limits.usd - committed.usd
    room = {
        "": completion_tokens,
        "tokens": tokens_left - prompt_tokens,
        "usd": _affordable(usd_left, prompt_tokens, rates),
    }
    clamped_by = min(room, key=lambda limit: room[limit])
    completion = room[clamped_by]
    smallest = min(SMALLEST_COMPLETION, completion_tokens)
    if completion < smallest:
        return _own_shortfall(tokens_left, usd_left, _reserve(prompt_tokens, smallest, rates))
    reservation = _reserve(prompt_tokens, completion, rates, clamped_by)
    return reservation if _is_covered(state, reservation, now) else DrawFirst(reservation)


def worst_usd(prompt_tokens: int, completion: int, rates: Rates) -> Decimal:
    """Return what a call costs at most, in USD, rounded up to the unit in which money is kept."""
    usd = (prompt_tokens * rates.input + completion * rates.output) / PER_MILLION
    return usd.quantize(QUANTUM, ROUND_UP)


def _reserve(prompt_tokens: int, completion: int, rates: Rates, clamped_by: str = "") -> Reservation:
    usd = worst_usd(prompt_tokens, completion, rates)
    return Reservation(prompt_tokens + completion, usd, completion, clamped_by)


def _affordable(usd_left: Decimal, prompt_tokens: int, rates: Rates) -> int:
    """Return how many completion tokens the money buys after the prompt."""
    after_prompt = usd_left * PER_MILLION - prompt_tokens * rates.input
    if after_prompt < 0:
        return 0
    return int(after_prompt // rates.output) if rates.output else 1 << 31


def _own_shortfall(tokens_left: int, usd_left: Decimal, least: Reservation) -> Shortfall:
    if least.tokens > tokens_left:
        return Shortfall("tokens", str(tokens_left), str(least.tokens))
    return Shortfall("usd", str(usd_left), str(least.usd))


def _is_covered(state: RunState, wanted: Reservation, now: datetime) -> bool:
    """Whether the run holds enough, in windows that are not over, of every unit that a shared budget limits."""
    held, spent = state.drawn, state.spent
    return (
        (held.until is None or now < held.until)
        and (held.steps is None or held.steps >= state.next_step)
        and (held.tokens is None or held.tokens - spent.tokens >= wanted.tokens)
        and (held.usd is None or held.usd - spent.usd >= wanted.usd)
    )


def plan_draw(state: RunState, wanted: Reservation, calls: int, steps: int | None = None) -> Amount:
    """Return what the run should hold for a number of calls like the wanted one, within its own limits.

    ``steps``: how many steps to hold, where that is another number. Of a unit that no shared budget limits the
    run holds nothing. One call's worth is always within the limits.
    """
    ahead = calls if steps is None else steps
    held, limits, spent, committed = state.drawn, state.limits, state.spent, state.committed
    return Amount(
        0
        if held.steps is None
        else min(state.next_step + ahead - 1 - spent.steps, limits.steps - committed.steps),
        0 if held.tokens is None else min(calls * wanted.tokens, limits.tokens - committed.tokens),
        Decimal(0) if held.usd is None else min(calls * wanted.usd, limits.usd - committed.usd),
    )


def count_unused(state: RunState) -> Amount:
    """Return what the run holds of shared budgets beyond what it has spent; negative where a provider took more."""
    return -count_drawn(state, Amount(0, 0, Decimal(0)))


def count_drawn(state: RunState, hold: Amount) -> Amount:
    """Return what has to be drawn on top of what is held and unused, so that the run holds an amount."""
    held, spent = state.drawn, state.spent
    return Amount(
        0 if held.steps is None else hold.steps - (held.steps - spent.steps),
        0 if held.tokens is None else hold.tokens - (held.tokens - spent.tokens),
        Decimal(0) if held.usd is None else hold.usd - (held.usd - spent.usd),
    )
