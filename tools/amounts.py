"""Reading the amount that a call moves out of its arguments."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from agentops.errors import ValidationFailed

LARGEST = Decimal(10**12)  # what usage adds up to has to fit its column
LONGEST = 40  # characters of what is still read as a number


def read_amount(arguments: dict[str, Any], path: str) -> Decimal:
    """Return the amount at a dotted path; ``*`` sums over a list.

    Raises ValidationFailed when it is missing, not a number, negative, finer than 1/10,000, or over 10^12.
    """
    values = [arguments]
    for part in path.split("."):
        values = [found for value in values for found in _descend(value, part)]
    if not values:
        raise ValidationFailed("amount_missing", f"no amount at {path!r}")
    total = sum((_to_amount(value, path) for value in values), Decimal(0))
    if total > LARGEST:
        raise ValidationFailed("amount_out_of_range", f"the amount at {path!r} is more than {LARGEST}")
    return total


def number_of(value: object) -> Decimal | None:
    """Return the finite number that a text, an integer or a float is; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > LONGEST:
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _descend(value: Any, part: str) -> list[Any]:  # Any: JSON
    if part == "*":
        return list(value) if isinstance(value, list) else []
    return [value[part]] if isinstance(value, dict) and part in value else []


def _to_amount(value: Any, path: str) -> Decimal:  # Any: JSON
    # Digits of other scripts and 1_000 are numbers to Python alone: another reader may see less, or more.
    is_plain = not isinstance(value, str) or (value.isascii() and "_" not in value)
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not is_plain:
        raise ValidationFailed("amount_not_a_number", f"the amount at {path!r} is not a number")
    try:
        amount = Decimal(str(value).strip())
        exact = amount == amount.quantize(Decimal("0.0001"))
    except InvalidOperation:
        raise ValidationFailed("amount_not_a_number", f"the amount at {path!r} is not a number") from None
    if not amount.is_finite() or amount < 0 or not exact:
        raise ValidationFailed("amount_out_of_range", f"the amount at {path!r} is negative or too fine")
    return amount
