"""What two proposals of the same effect have in common."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import ValidationFailed
from tests.tools.execution import make_spec
from tools.assessment import digest_for_dedupe

REFUND: dict[str, Any] = {
    "effect": "irreversible",
    "amount_argument": "amount",
    "dedupe_on": ("order_id", "amount"),
}


def digest_of(order_id: str, amount: object) -> str:
    return digest_for_dedupe(make_spec(**REFUND), {"order_id": order_id, "amount": amount})


@pytest.mark.parametrize("amount", ["0010.01", "10.0100", "10.01", " 10.01", 10.01])
def test_an_amount_is_the_same_however_it_is_written(amount: object) -> None:
    assert digest_of("A-1", amount) == digest_of("A-1", "10.01")


@pytest.mark.parametrize(("order_id", "amount"), [("A-1", "10.02"), ("A-1", "100.1"), ("A-01", "10.01")])
def test_another_effect_has_another_digest(order_id: str, amount: str) -> None:
    assert digest_of(order_id, amount) != digest_of("A-1", "10.01")


def test_large_and_whole_amounts_are_kept_apart() -> None:
    assert len({digest_of("A-1", amount) for amount in ("0", "1", "10", "100", "1000000")}) == 5


def test_amounts_deep_in_the_arguments_are_written_alike() -> None:
    spec = make_spec(effect="irreversible", amount_argument="parts.*.usd", dedupe_on=("parts",))
    one, other = ({"parts": [{"usd": usd, "to": "x"}, {"usd": "2"}]} for usd in ("01.50", "1.5"))
    assert digest_for_dedupe(spec, one) == digest_for_dedupe(spec, other)


def test_an_amount_that_is_none_has_no_digest() -> None:
    with pytest.raises(ValidationFailed):
        digest_of("A-1", "ten")
