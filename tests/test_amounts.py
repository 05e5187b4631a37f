from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.amounts import plain_decimal


@pytest.mark.parametrize(
    ("amount", "said"),
    [("0E-8", "0.00"), ("0", "0"), ("5", "5"), ("12.5000", "12.50"), ("1E-8", "0.00000001"), ("1E+2", "100"),
     ("0.00012000", "0.00012"), ("-0.50", "-0.50"), ("1200", "1200")],
)  # fmt: skip
def test_an_amount_is_written_in_digits(amount: str, said: str) -> None:
    assert plain_decimal(Decimal(amount)) == said


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=8))
def test_nothing_of_the_amount_is_lost(amount: Decimal) -> None:
    assert Decimal(plain_decimal(amount)) == amount
    assert "E" not in plain_decimal(amount)
