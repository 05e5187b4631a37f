"""Money: exact, rounded up, never zero by accident."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.planner.answers import Usage
from runs.planner.prices import QUANTUM, Price, cost, seed_prices

D = Decimal
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)

RATES = st.decimals(min_value=0, max_value=10_000, places=6)
COUNTS = st.integers(min_value=0, max_value=10**9)
PRICES = st.builds(Price, st.just("m"), st.just("1"), RATES, RATES, RATES, RATES)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Draw a usage whose parts fit into their totals."""
    output = draw(COUNTS)
    plain, cached, written = draw(COUNTS), draw(COUNTS), draw(COUNTS)
    return Usage(plain + cached + written, output, cached, written, draw(st.integers(0, output)))


def price(plain: str = "2.5", output: str = "10", cached: str = "1.25", written: str = "3.125") -> Price:
    return Price("gpt-4o", "test", D(plain), D(output), D(cached), D(written))


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        (Usage(0, 0, 0, 0, 0), "0"),
        (Usage(1_000_000, 0, 0, 0, 0), "2.5"),
        (Usage(0, 1_000_000, 0, 0, 0), "10"),
        # Cached and written tokens are within the input, reasoning within the output: none counts twice.
        (Usage(1_000_000, 0, 1_000_000, 0, 0), "1.25"),
        (Usage(1_000_000, 0, 0, 1_000_000, 0), "3.125"),
        (Usage(1000, 100, 600, 300, 50), "0.0029375"),
        (Usage(0, 1_000_000, 0, 0, 1_000_000), "10"),
        # 2.5e-6 per token: 1 token is 250 quanta.
        (Usage(1, 0, 0, 0, 0), "0.0000025"),
    ],
)
def test_each_token_is_charged_once_at_its_own_rate(usage: Usage, usd: str) -> None:
    assert cost(price(), usage) == D(usd)


def test_a_fraction_of_the_quantum_is_rounded_up() -> None:
    cheap = price(plain="0.000001", output="0", cached="0", written="0")
    assert cost(cheap, Usage(1, 0, 0, 0, 0)) == QUANTUM
    assert cost(cheap, Usage(10_000, 0, 0, 0, 0)) == QUANTUM
    assert cost(cheap, Usage(10_001, 0, 0, 0, 0)) == 2 * QUANTUM


@given(PRICES, usages())
def test_a_cost_is_the_exact_amount_rounded_up(rates: Price, usage: Usage) -> None:
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    exact = (
        plain * Fraction(rates.input_usd_per_mtok)
        + usage.cached_input_tokens * Fraction(rates.cached_input_usd_per_mtok)
        + usage.cache_write_tokens * Fraction(rates.cache_write_usd_per_mtok)
        + usage.output_tokens * Fraction(rates.output_usd_per_mtok)
    ) / 10**6
    charged = Fraction(cost(rates, usage))
    assert exact <= charged < exact + Fraction(QUANTUM)


def test_the_caller_s_decimal_context_changes_nothing() -> None:
    usage = Usage(123_456_789, 987_654_321, 1, 2, 3)
    expected = cost(price(), usage)
    with localcontext(prec=3):
        assert cost(price(), usage) == expected


@pytest.mark.parametrize("rate", ["-1", "NaN", "Infinity"])
@pytest.mark.parametrize("field", ["plain", "output", "cached", "written"])
def test_a_rate_that_is_no_amount_is_refused(field: str, rate: str) -> None:
    with pytest.raises(ValueError, match="price"):
        price(**{field: rate})


def test_a_float_is_not_money() -> None:
    with pytest.raises(TypeError):
        Price("m", "1", 2.5, D(1), D(1), D(1))  # type: ignore[arg-type]  # what is tested


def test_public_prices_are_found() -> None:
    mini, sonnet = seed_prices(["gpt-4.1-mini-2025-04-14", "claude-3-5-sonnet-20241022"], at=AT)
    assert mini == Price("gpt-4.1-mini-2025-04-14", mini.version, D("0.4"), D("1.6"), D("0.1"), D("0.4"))
    assert mini.version.startswith("genai-prices 0.")
    assert mini.version.endswith(" openai/gpt-4.1-mini")
    assert (sonnet.cached_input_usd_per_mtok, sonnet.cache_write_usd_per_mtok) == (D("0.3"), D("3.75"))


def test_of_several_rates_the_dearest_is_taken() -> None:
    """Gemini 2.5 Pro costs 1.25 and 10, and twice and 1.5 times that beyond 200,000 tokens of prompt."""
    (gemini,) = seed_prices(["gemini-2.5-pro"], at=AT)
    assert (gemini.input_usd_per_mtok, gemini.output_usd_per_mtok) == (D("2.5"), D("15"))


def test_of_the_hours_of_a_day_the_dearest_is_taken() -> None:
    """DeepSeek was cheaper at night (16:30 to 00:30 UTC) for a while."""
    night = datetime(2025, 4, 1, 20, tzinfo=UTC)
    (deepseek,) = seed_prices(["deepseek-chat"], at=night)
    assert (deepseek.input_usd_per_mtok, deepseek.output_usd_per_mtok) == (D("0.27"), D("1.10"))


@pytest.mark.parametrize("model", ["", "null", "gpt-99", "my-own-model", "gpt-4o-nonsense"])
def test_an_unknown_model_has_no_price(model: str) -> None:
    with pytest.raises(LookupError):
        seed_prices(["gpt-4o", model])


def test_no_seed_is_zero() -> None:
    """text-embedding models have no output rate, the moderation model costs nothing: neither is a planner."""
    for model in ("text-embedding-3-small", "omni-moderation-latest"):
        with pytest.raises(LookupError):
            seed_prices([model])


def test_no_models_no_prices() -> None:
    assert seed_prices([]) == []
