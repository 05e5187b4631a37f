"""The retail shop's calculator: exact sums, and nothing else that Python could evaluate."""

from __future__ import annotations

import pytest

from agentops.demo.toolserver import Problem
from tests.retail.arithmetic import calculate
from tests.retail.shop import RetailShop

pytestmark = pytest.mark.retail


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 2", "4"),
        ("155.33 - 147.05 + 268.77 - 235.13", "41.92"),
        ("0.1 + 0.2", "0.3"),
        ("-(1 + 2) * 3 / 4", "-2.25"),
        ("+100", "100"),
        ("1 / 3", "0.3333333333"),
        ("10 * 10", "100"),
        ("9" * 30 + " * 10", "1" + "0" * 31),
    ],
)
def test_calculate(expression: str, value: str) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        " ",
        "1 +",
        "2 ** 999",
        "7 // 2",
        "1 / 0",
        "1, 2",
        "a + 1",
        "__import__('os')",
        "()",
        "(" * 150,
        "1" * 201,
    ],
)
def test_calculate_refuses(expression: str) -> None:
    with pytest.raises(ValueError, match=r"calculate|expression"):
        calculate(expression)


def test_a_refused_calculation_is_a_problem(shop: RetailShop) -> None:
    with pytest.raises(Problem, match="cannot calculate"):
        shop.call("calculate", {"expression": "1 / 0"})
