"""What tokens cost: exact arithmetic in USD, and seeds for the price table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_UP, Context, Decimal, localcontext
from typing import Any

from runs.planner.answers import Usage

# Amounts are kept to 1e-8 USD and rounded up, so that many small turns never add up to less than the bill.
QUANTUM = Decimal("1e-8")

# Wide enough that no product or sum below is rounded before the last line.
_EXACT = Context(prec=60, rounding=ROUND_UP)

_PER_MTOK = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens of one model, as of `version` (source and its version).

    A zero is a statement ("this model is free here"), never a default. Raises ValueError for a negative
    or non-finite rate, TypeError for a float.
    """

    model: str
    version: str
    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    cached_input_usd_per_mtok: Decimal
    cache_write_usd_per_mtok: Decimal

    def __post_init__(self) -> None:
        for rate in (*_input_rates(self), self.output_usd_per_mtok):
            if not isinstance(rate, Decimal):
                raise TypeError("a price is a Decimal")
            if not rate.is_finite() or rate < 0:
                raise ValueError("a price is finite and not negative")


def cost(price: Price, usage: Usage) -> Decimal:
    """Return what a turn cost in USD, rounded up to 1e-8.

    Cached and written tokens are parts of the input, reasoning is a part of the output: each token is
    charged once, at its own rate.
    """
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    return _total(
        (plain, price.input_usd_per_mtok),
        (usage.cached_input_tokens, price.cached_input_usd_per_mtok),
        (usage.cache_write_tokens, price.cache_write_usd_per_mtok),
        (usage.output_tokens, price.output_usd_per_mtok),
    )


def seed_prices(models: Iterable[str], at: datetime | None = None) -> list[Price]:
    """Return the public prices of `models` at a time (default now), from the genai-prices package.

    Where a model has several rates (long prompts, hours of the day, reasoning), the dearest is taken; a part
    without a rate of its own costs what plain input does. Raises LookupError for a model that is unknown,
    not priced by tokens alone, or listed at zero.
    """
    moment = at or datetime.now(UTC)
    return [_seed_price(model, moment) for model in models]


def _total(*items: tuple[int, Decimal]) -> Decimal:
    with localcontext(_EXACT):
        exact = sum((tokens * rate for tokens, rate in items), Decimal(0)) * _PER_MTOK
        return exact.quantize(QUANTUM)


def _input_rates(price: Price) -> tuple[Decimal, Decimal, Decimal]:
    return price.input_usd_per_mtok, price.cached_input_usd_per_mtok, price.cache_write_usd_per_mtok


def _seed_price(model: str, at: datetime) -> Price:
    import genai_prices  # 2 MB of data, needed when seeding only

    # Some prices hold for hours of the day: look at each.
    quotes = [
        genai_prices.calc_price(
            genai_prices.Usage(input_tokens=1), model, genai_request_timestamp=at.replace(hour=hour)
        )
        for hour in range(24)
    ]
    if any(quote.model_price.requests_kcount is not None for quote in quotes):
        raise LookupError(f"{model!r} is not priced by tokens alone")

    def dearest(*keys: str) -> Decimal | None:
        rates = [rate for quote in quotes for key in keys for rate in _rates(getattr(quote.model_price, key))]
        return max(rates, default=None)

    plain, output = dearest("input_mtok"), dearest("output_mtok", "output_reasoning_mtok")
    if not plain or not output:
        raise LookupError(f"no token price is known for {model!r}")
    source = f"{quotes[0].provider.id}/{quotes[0].model.id}"
    return Price(
        model=model,
        version=f"genai-prices {genai_prices.__version__} {source}",
        input_usd_per_mtok=plain,
        output_usd_per_mtok=output,
        cached_input_usd_per_mtok=dearest("cache_read_mtok") or plain,
        cache_write_usd_per_mtok=dearest("cache_write_mtok") or plain,
    )


def _rates(listed: Any) -> Iterator[Decimal]:
    """Yield the rates in a price of genai-prices: None, a Decimal, or a base with tiers."""
    if isinstance(listed, Decimal):
        yield listed
    elif listed is not None:
        yield listed.base
        yield from (tier.price for tier in listed.tiers)
