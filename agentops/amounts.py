"""How an amount of money is written as text."""

from __future__ import annotations

from decimal import Decimal


def plain_decimal(amount: Decimal) -> str:
    """Return an amount in digits, never with an exponent, without zeros beyond the cents: 0E-8 is "0.00"."""
    whole, point, places = f"{amount:f}".partition(".")
    return whole + point + places[:2] + places[2:].rstrip("0")
