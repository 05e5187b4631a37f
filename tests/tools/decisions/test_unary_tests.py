"""Which values a cell fits (DMN 1.5, 9.2 and table 54)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tools.decisions.feel.evaluation import Scope, constant
from tools.decisions.feel.matching import compile_tests
from tools.decisions.feel.parser import parse_expression
from tools.decisions.feel.unary_tests import parse_unary_tests
from tools.decisions.feel.values import FeelType

pytestmark = pytest.mark.dmn

SCOPE: Scope = {"limit": Decimal(10), "loan.cap": Decimal(5), "nothing": None}


@pytest.mark.parametrize(
    ("cell", "fitting", "others"),
    [
        ("-", "1 null true", ""),
        ("5", "5 5.0", "4 null"),
        ("-5", "-5", "5"),
        ("<5", "4.99 -1", "5 6 null"),
        ("<= 5", "5", "5.01"),
        ("> 5", "6", "5"),
        (">=5", "5 6", "4"),
        ("= 5", "5", "6"),
        ("!= 5", "6 null", "5"),
        ("[1..5]", "1 3 5", "0.99 5.01 null"),
        ("(1..5)", "1.01 4.99", "1 5"),
        ("]1..5[", "1.01 4.99", "1 5"),
        ("[1..5)", "1", "5"),
        ("(1..5]", "5", "1"),
        ("[1..5[", "1", "5"),
        ("[-5..-1]", "-5 -3", "0 -6"),
        ("(1+1)", "2", "1"),
        ("(1+1)*2", "4", "2"),
        ("((1)..(3))", "2", "1 3"),
        ("1, 3, [7..9]", "1 3 8", "2 6"),
        (", ".join(["-1"] * 200), "-1", "1"),
        ("not(1, 3)", "2", "1 3"),
        ("not([1..5])", "0", "3 null"),
        ("not(null)", "1", "null"),
        ("null", "null", "1"),
        ("< limit", "9", "10 null"),
        ("[loan.cap..limit)", "5 9", "4 10"),
        ("< nothing", "", "1 null"),
        ("limit * 2", "20", "10"),
        ('"a"', '"a"', '"b" "A" null'),
        ('"a", "b"', '"a" "b"', '"c"'),
        ('not("a")', '"b" null', '"a"'),
        ('"a,b"', '"a,b"', '"a"'),
        ('["a".."c")', '"a" "b"', '"c"'),
        ("true", "true", "false null"),
        ("false, true", "true false", "null"),
        ('>= date("2024-01-01")', '@"2024-01-01" @"2025-01-01"', '@"2023-12-31"'),
        ('[@"P1D"..@"P3D"]', '@"P2D" @"PT24H"', '@"P4D" @"P1M"'),
        ('>@"P1Y"', '@"P13M"', '@"P12M"'),
    ],
)
def test_a_cell_fits(cell: str, fitting: str, others: str) -> None:
    matches = compile_tests(parse_unary_tests(cell, SCOPE), FeelType.ANY, {}).matches

    def fits(text: str) -> bool:
        return matches is None or matches(constant(parse_expression(text)), SCOPE) is True

    assert [text for text in fitting.split() if not fits(text)] == []
    assert [text for text in others.split() if fits(text)] == []
