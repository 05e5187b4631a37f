"""US dollar amounts as decimal strings with two places, the only form in which the shop stores them."""

from __future__ import annotations

from decimal import Decimal


def show_usd(amount: Decimal) -> str:
    """Return an amount as text: Decimal("5") → "5.00"."""
    return f"{amount:.2f}"


def line_usd(line: dict[str, object], quantity: int) -> Decimal:
    """Return what `quantity` pieces of an order line cost."""
    return Decimal(str(line["unit_price"])) * quantity
