"""What simple expressions yield (DMN 1.5, chapter 9 and 10.3.2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.decisions.errors import FeelError
from tools.decisions.feel.evaluation import compile_expression
from tools.decisions.feel.lexer import MAX_TEXT
from tools.decisions.feel.literals import write_value
from tools.decisions.feel.parser import parse_expression
from tools.decisions.feel.values import DECIMAL128, Value, YearsMonths

pytestmark = pytest.mark.dmn

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
SCOPE: dict[str, Value] = {
    "age": Decimal(20),
    "extra days": Decimal(3),
    "extra": Decimal(100),
    "loan.rate": Decimal("0.045"),
    "Pre-bureau risk": "LOW",
    "nothing": None,
    "holiday": date(2024, 1, 31),
}


def evaluate(text: str) -> Value:
    return compile_expression(parse_expression(text, SCOPE))(SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", Decimal(1)),
        (".5 + 1.25", Decimal("1.75")),
        ("1e3", Decimal(1000)),
        ("0.1 + 0.2", Decimal("0.3")),
        ("1 / 3", Decimal("0." + "3" * 34)),
        ("2 / 3", Decimal("0." + "6" * 33 + "7")),
        ("1 + 2 * 3", Decimal(7)),
        ("(1 + 2) * 3", Decimal(9)),
        ("10 - 2 - 3", Decimal(5)),
        ("2 ** 3 ** 2", Decimal(64)),
        ("-2 ** 2", Decimal(4)),
        ("2 ** -1", Decimal("0.5")),
        ("--1", Decimal(1)),
        ("1 / 0", None),
        ("0 / 0", None),
        ("10 ** 9999", None),
        ("2 ** 99999999999", None),
        ('"a" + "b"', "ab"),
        ('"a" + 1', None),
        ('"a" - "b"', None),
        ("null", None),
        ("null + 1", None),
        ("true", True),
        ("1 < 2 and 2 < 3", True),
        ("1 = 1.0", True),
        ("1 != 2", True),
        ("null = null", True),
        ("null = 1", False),
        ("null < 1", None),
        ('1 = "1"', None),
        ("true < false", None),
        ("false and null", False),
        ("true and null", None),
        ("true or null", True),
        ("false or null", None),
        ("not(null)", None),
        ("not(1 > 2)", True),
        ("not(true) or true", True),
        (r'"a\"b\\c\nd\u00e9\t"', 'a"b\\c\ndé\t'),
        (r'"\uD83D\uDE00"', "😀"),
        (r'"\U01F600"', "😀"),
        ('"//"', "//"),
        ("age + 1", Decimal(21)),
        ("extra   days * 2", Decimal(6)),
        ("extra + extra days", Decimal(103)),
        ("extra-extra days", Decimal(97)),
        ("loan . rate * 2", Decimal("0.090")),
        ('Pre-bureau risk = "LOW"', True),
        ("nothing", None),
        ('date("2024-02-29")', date(2024, 2, 29)),
        ('@"2024-02-29"', date(2024, 2, 29)),
        ('time("09:30:00Z")', time(9, 30, tzinfo=UTC)),
        ('@"09:30:00"', time(9, 30)),
        ('date and time("2024-02-29T09:30:00Z")', datetime(2024, 2, 29, 9, 30, tzinfo=UTC)),
        ('@"2024-02-29T09:30:00.5"', datetime(2024, 2, 29, 9, 30, 0, 500_000)),
        ('duration("P1DT2H3M4.5S")', timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ('@"-P1Y2M"', YearsMonths(-14)),
        ('duration("P14M") = duration("P1Y2M")', True),
        ('holiday + duration("P1M")', date(2024, 2, 29)),
        ('holiday - duration("P11M")', date(2023, 2, 28)),
        ('holiday + duration("P1D")', date(2024, 2, 1)),
        ('holiday - date("2024-01-01")', timedelta(days=30)),
        ('date("9999-12-31") + duration("P1D")', None),
        ('date("9999-12-31") - duration("P1M")', date(9999, 11, 30)),
        ('duration("P1D") * 1.5', timedelta(days=1, hours=12)),
        ('duration("P1D") / 4', timedelta(hours=6)),
        ('duration("P1D") / 0', None),
        ('duration("P1D") / duration("PT16H")', Decimal("1.5")),
        ('duration("P1D") / duration("PT0S")', None),
        ('duration("P1D") + holiday', date(2024, 2, 1)),
        ('duration("P1M") + holiday', date(2024, 2, 29)),
        ('duration("PT1H") + @"2024-02-29T23:30:00"', datetime(2024, 3, 1, 0, 30)),
        ('duration("P1M") + @"2024-01-31T23:30:00"', datetime(2024, 2, 29, 23, 30)),
        ('time("23:30:00") + duration("PT1H")', time(0, 30)),
        ('duration("P3DT1H") + time("23:30:00Z")', time(0, 30, tzinfo=UTC)),
        ('time("00:30:00") - duration("PT1H0.5S")', time(23, 29, 59, 500_000)),
        ('time("09:00:00Z") - time("09:00:00+01:00")', timedelta(hours=1)),
        ('time("09:00:00Z") - time("09:00:00")', None),
        ('duration("P1Y") * 1.5', YearsMonths(18)),
        ('1.5 * duration("P1Y1M")', YearsMonths(19)),
        ('duration("-P1Y1M") / 2', YearsMonths(-6)),
        ('duration("P1Y") / 0', None),
        ('duration("P1Y") / duration("P8M")', Decimal("1.5")),
        ('duration("P1Y") / duration("P0M")', None),
        ('duration("PT1H") + duration("P1Y")', None),
        ('-duration("P1D")', timedelta(days=-1)),
        ('time("09:00:00Z") < time("09:00:00")', None),
        ('time("09:00:00Z") = time("10:00:00+01:00")', True),
        ('date("2024-01-01") < date and time("2024-01-01T00:00:00")', None),
    ],
)
def test_an_expression_yields(text: str, expected: Value) -> None:
    found = evaluate(text)

    assert (type(found), found) == (type(expected), expected)


@given(st.one_of(TEXTS, st.decimals(-(10**27), 10**27, places=6)))
def test_a_written_value_reads_as_itself(value: str | Decimal) -> None:
    assert evaluate(write_value(value)) == value


@given(st.one_of(st.dates(), st.datetimes(), st.times(), st.timedeltas(), st.booleans(), st.none()))
def test_a_written_moment_or_span_reads_as_itself(value: Value) -> None:
    assert evaluate(write_value(value)) == value


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_arithmetic_is_that_of_decimals(left: int, right: int) -> None:
    assert evaluate(f"{left} * {right} - {right}") == left * right - right
    expected = DECIMAL128.divide(Decimal(left), Decimal(right)) if right else None
    assert evaluate(f"{left} / {right}") == expected


@given(st.text(alphabet='()[]<>=!-+*/.,"\\ @1eanotdrules\n', max_size=60))
def test_any_text_is_read_or_refused_with_its_position(text: str) -> None:
    position = 1
    try:
        evaluate(text)
    except FeelError as error:
        position = error.position
    assert 1 <= position <= len(text) + 1


@pytest.mark.parametrize("opening", ["(", "-", "not(", "1+", "1 and (", "1**"])
def test_depth_is_bounded(opening: str) -> None:
    with pytest.raises(FeelError, match="more than 64 operations"):
        evaluate(opening * 500 + "1")


def test_size_is_bounded() -> None:
    assert evaluate('"' + "a" * (MAX_TEXT - 2) + '"') == "a" * (MAX_TEXT - 2)
    with pytest.raises(FeelError, match="longer than"):
        evaluate('"' + "a" * (MAX_TEXT - 1) + '"')
