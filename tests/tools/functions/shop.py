"""Functions with hints as an installation would offer them, and some of which no tool can be made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NotRequired
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from agentops.errors import Permanent
from tools.calls import CallContext

SEEN: list[Any] = []
SPENT: dict[str, Any] = {}


class Method(Enum):
    CARD = "card"
    BANK = "bank"


@dataclass
class Address:
    """Where it goes."""

    street: Annotated[str, Field(min_length=1)]
    city: str = "Bern"


class Line(NamedTuple):
    sku: str
    pieces: int = 1


class Extras(TypedDict):
    note: str
    gift: NotRequired[bool]


@dataclass
class Receipt:
    id: UUID
    paid: Decimal
    at: datetime
    lines: list[Line]


def refund(
    order_id: Annotated[str, "Which order."],
    amount: Annotated[Decimal, Field(ge=Decimal("0.01"), le=500, decimal_places=2)],
    due: date,
    lines: list[Line],
    address: Address | None = None,
    *,
    method: Method = Method.CARD,
    speed: Literal["slow", "fast"] = "slow",
    extras: Extras | None = None,
    call: CallContext,
) -> Receipt:
    """Pay an order back."""
    SEEN.append((order_id, amount, due, lines, address, method, speed, extras))
    receipt = Receipt(UUID(int=7), amount, datetime(2027, 1, 2, tzinfo=UTC), lines)
    SPENT[call.key] = receipt
    return receipt


def find_refund(call: CallContext) -> Receipt:
    """Say what became of a refund."""
    if call.key not in SPENT:
        raise Permanent("not_executed", "no such refund")
    found: Receipt = SPENT[call.key]
    return found


def promise(left: int) -> dict[str, Decimal]:
    """Answer a decimal that is easily written as an exponent."""
    return {"sum": Decimal("1E+2") * left}


def lie(left: int) -> Receipt:
    """Answer what the hint does not name."""
    return {"id": left}  # type: ignore[return-value]  # which is the point


def guess(anything: Any, many: Iterable[str]) -> str:
    """Take anything."""
    return f"{anything}{many}"


async def later(left: int) -> int:
    """Answer later."""
    return left


def _hidden(left: int) -> int:
    return left
