from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.errors import ValidationFailed
from tests.rewriting import rewrite
from tools import amounts
from tools.amounts import LARGEST, read_amount


@pytest.mark.parametrize(
    ("arguments", "path", "amount"),
    [
        ({"amount": "12.50"}, "amount", "12.50"),
        ({"amount": 12}, "amount", "12"),
        ({"amount": 12.5}, "amount", "12.5"),
        ({"amount": " 7 "}, "amount", "7"),
        ({"amount": "1e2"}, "amount", "100"),
        ({"amount": 0}, "amount", "0"),
        ({"order": {"total": "3.1415"}}, "order.total", "3.1415"),
        ({"items": [{"price": "1.10"}, {"price": 2}]}, "items.*.price", "3.10"),
        ({"prices": [1, "2.5"]}, "prices.*", "3.5"),
    ],
)
def test_an_amount_is_read(arguments: dict[str, Any], path: str, amount: str) -> None:
    assert read_amount(arguments, path) == Decimal(amount)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "amount_missing"),
        ({"amount": None}, "amount_not_a_number"),
        ({"amount": True}, "amount_not_a_number"),
        ({"amount": "ten"}, "amount_not_a_number"),
        ({"amount": ""}, "amount_not_a_number"),
        ({"amount": [1]}, "amount_not_a_number"),
        ({"amount": "NaN"}, "amount_out_of_range"),
        ({"amount": "sNaN"}, "amount_not_a_number"),
        ({"amount": "Infinity"}, "amount_not_a_number"),
        ({"amount": "-1"}, "amount_out_of_range"),
        ({"amount": "0.00001"}, "amount_out_of_range"),
        ({"amount": "1000000000000.01"}, "amount_out_of_range"),
        ({"amount": "1e30"}, "amount_not_a_number"),
        ({"amount": "1_000"}, "amount_not_a_number"),
        ({"amount": "١٢"}, "amount_not_a_number"),
        ({"amount": "１２"}, "amount_not_a_number"),
        ({"amount": 10**40}, "amount_not_a_number"),
    ],
)
def test_what_is_no_amount_is_refused(arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        read_amount(arguments, "amount")
    assert refused.value.code == code


def test_what_only_python_reads_as_a_number_would_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, amounts, "_to_amount", " or not is_plain", "")

    assert read_amount({"amount": "1_000"}, "amount") == 1000


@pytest.mark.parametrize(
    ("arguments", "path"),
    [({"items": []}, "items.*.price"), ({"items": 3}, "items.*"), ({"a": {"b": 1}}, "a.c")],
)
def test_an_amount_that_is_not_there_is_missing(arguments: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        read_amount(arguments, path)
    assert refused.value.code == "amount_missing"


def test_a_sum_is_bounded_as_a_whole() -> None:
    with pytest.raises(ValidationFailed):
        read_amount({"items": [str(LARGEST)] * 2}, "items.*")
    assert read_amount({"items": [str(LARGEST)]}, "items.*") == LARGEST


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
def test_whatever_a_model_writes_is_an_amount_or_refused(value: Any) -> None:
    try:
        amount = read_amount({"amount": value}, "amount")
    except ValidationFailed:
        return
    assert 0 <= amount <= LARGEST
    assert amount == amount.quantize(Decimal("0.0001"))
