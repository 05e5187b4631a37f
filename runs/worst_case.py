"""What an agent could do at worst: the most calls and the most money that its terms leave room for. Pure.

Windows are those of caps, in UTC: 24 hours to a day, at most 31 days to a month. A run has no length that is known
beforehand, so only caps per run bound it. None is no ceiling, and whatever it is added to has none either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeVar

from tools.caps import PERIODS, Cap

Asks = Literal["nobody", "beyond_caps", "every_time"]
HOURS = {"hour": 1, "day": 24, "month": 31 * 24}

N = TypeVar("N", int, Decimal)


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The most calls and the most money per period, each one None where nothing bounds it."""

    calls: Mapping[str, int | None]
    amount: Mapping[str, Decimal | None]


NOTHING = Ceilings(dict.fromkeys(PERIODS, 0), dict.fromkeys(PERIODS, Decimal(0)))


@dataclass(frozen=True, slots=True)
class ToolTerms:
    """A grant that permits something, and what its tool does; ``waived``: two people let it go unasked."""

    tool: str
    effect: str
    decision: str
    caps: tuple[Cap, ...] = ()
    over_caps: str = "DENY"
    waived: bool = False
    moves_money: bool = False
    currency: str = ""
    approvers: tuple[str, ...] = ()
    secret: str = ""
    offered: bool = True


@dataclass(frozen=True, slots=True)
class ToolReach:
    """What can be done with one tool: ``alone`` without anybody's word, ``at_most`` if people allow all they may."""

    terms: ToolTerms
    asks: Asks
    alone: Ceilings
    at_most: Ceilings


@dataclass(frozen=True, slots=True)
class DayTotal:
    """The most money that moves in a day in one currency."""

    currency: str
    alone: Decimal | None
    at_most: Decimal | None


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Everything at once; ``models`` is what may be spent on models, in USD, per run and window."""

    tools: tuple[ToolReach, ...]
    per_day: tuple[DayTotal, ...]
    models: Mapping[str, Decimal | None] = field(default_factory=dict)

    @property
    def secrets(self) -> list[str]:
        """Return the names of the secrets that its calls lease."""
        return sorted({reach.terms.secret for reach in self.tools} - {""})


def assess_worst_case(
    tools: Sequence[ToolTerms], budgets: Iterable[tuple[str, Decimal]], per_run: Decimal | None
) -> BlastRadius:
    """Return what these terms leave room for; budgets are (window, USD), of the agent and of its team."""
    reaches = tuple(reach_of(terms) for terms in tools)
    bounds: list[tuple[str, Decimal]] = list(budgets)
    models = {"run": per_run, **{window: _tightest(window, bounds) for window in HOURS}}
    return BlastRadius(reaches, _sum_days(reaches), models)


def reach_of(terms: ToolTerms) -> ToolReach:
    """Return what one grant leaves room for."""
    within = ceilings_of(terms.caps)
    at_most = ceilings_of(()) if terms.over_caps == "REQUIRE_APPROVAL" else within
    asked = terms.decision == "REQUIRE_APPROVAL" or (terms.effect == "irreversible" and not terms.waived)
    if asked:
        return ToolReach(terms, "every_time", NOTHING, at_most)
    beyond = terms.caps and terms.over_caps == "REQUIRE_APPROVAL"
    return ToolReach(terms, "beyond_caps" if beyond else "nobody", within, at_most)


def ceilings_of(caps: Sequence[Cap]) -> Ceilings:
    """Return the ceilings that follow from caps, those of longer and shorter periods included."""
    counts = [(cap.per, cap.count) for cap in caps if cap.count is not None]
    amounts = [(cap.per, cap.amount) for cap in caps if cap.amount is not None]
    # One call fits into every window, so no call moves more than the smallest of them lets through.
    single = min((amount for _, amount in amounts), default=None)
    calls: dict[str, int | None] = {"call": 1, "run": _least(n for per, n in counts if per == "run")}
    calls |= {window: _tightest(window, counts) for window in HOURS}
    direct = {"run": _least(amount for per, amount in amounts if per == "run")}
    direct |= {window: _tightest(window, amounts) for window in HOURS}
    amount = {per: _lower(found, _times(single, calls[per])) for per, found in direct.items()}
    return Ceilings(calls, {"call": single, **amount})


def _tightest(window: str, bounds: Sequence[tuple[str, N]]) -> N | None:
    """Return the least that a window's own bound, a longer one's or several shorter ones' come to."""
    length = HOURS[window]
    return _least(bound * max(1, length // HOURS[per]) for per, bound in bounds if per in HOURS)


def _sum_days(reaches: Sequence[ToolReach]) -> tuple[DayTotal, ...]:
    moving = [reach for reach in reaches if reach.terms.moves_money]
    currencies = sorted({reach.terms.currency for reach in moving})
    return tuple(_sum_day(each, [r for r in moving if r.terms.currency == each]) for each in currencies)


def _sum_day(currency: str, reaches: Sequence[ToolReach]) -> DayTotal:
    alone = _add(reach.alone.amount["day"] for reach in reaches)
    return DayTotal(currency, alone, _add(reach.at_most.amount["day"] for reach in reaches))


def _least(values: Iterable[N]) -> N | None:
    return min(values, default=None)


def _lower(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return _least(value for value in (one, other) if value is not None)


def _times(amount: Decimal | None, calls: int | None) -> Decimal | None:
    return None if amount is None or calls is None else amount * calls


def _add(amounts: Iterable[Decimal | None]) -> Decimal | None:
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
