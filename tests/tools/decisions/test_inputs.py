"""What a decision accepts as its inputs."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.tools.decisions.written import table
from tools.decisions.compiling import compile_table
from tools.decisions.errors import InvalidInputs
from tools.decisions.feel.values import FeelType, Value, YearsMonths
from tools.decisions.inputs import read_inputs, read_value
from tools.decisions.tables import Variable

pytestmark = pytest.mark.dmn

T = FeelType


@pytest.mark.parametrize(
    ("kind", "found", "value"),
    [
        (T.NUMBER, 18, Decimal(18)),
        (T.NUMBER, 0.1, Decimal("0.1")),
        (
            T.NUMBER,
            Decimal("1234567890123456789012345678901234"),
            Decimal("1234567890123456789012345678901234"),
        ),
        (T.STRING, "18", "18"),
        (T.BOOLEAN, False, False),
        (T.DATE, "2024-02-29", date(2024, 2, 29)),
        (T.DAYS_TIME, "PT36H", timedelta(hours=36)),
        (T.YEARS_MONTHS, "P1Y", YearsMonths(12)),
        (T.NUMBER, None, None),
        (T.ANY, "P1Y", "P1Y"),
        (T.ANY, True, True),
    ],
)
def test_a_value_of_the_type_is_read_exactly(kind: FeelType, found: object, value: Value) -> None:
    read = read_value(kind, found)

    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("kind", "found", "words"),
    [
        (T.NUMBER, "18", "a number is expected, not a string"),
        (T.NUMBER, True, "a number is expected, not true or false"),
        (T.NUMBER, [18], "a number is expected, not a list"),
        (T.NUMBER, float("nan"), "must be finite"),
        (T.NUMBER, float("inf"), "must be finite"),
        (T.NUMBER, Decimal("sNaN"), "must be finite"),
        (T.NUMBER, Decimal("0." + "1" * 35), "at most 34 digits"),
        (T.NUMBER, 10**34 + 1, "at most 34 digits"),
        pytest.param(T.NUMBER, 10**5000, "at most 34 digits", id="5001 digits"),
        (T.NUMBER, Decimal("1e7000"), "within ±6143"),
        (T.STRING, 18, "a string is expected, not a number"),
        (T.STRING, "a\x00", "none of them NUL"),
        (T.STRING, "\ud800", "half of a pair"),
        (T.STRING, "a" * 10_001, "at most 10000"),
        (T.BOOLEAN, "true", "true or false is expected, not a string"),
        (T.BOOLEAN, 1, "true or false is expected, not a number"),
        (T.DATE, "29.2.2024", "a date is written 2026-11-28"),
        (T.DATE, "2023-02-29", "and exists"),
        (T.DATE, "2024-02-29T00:00:00", "a date is written"),
        (T.DATE, 20240229, "a date is a text, not a number"),
        (T.DATE_TIME, "2024-02-29", "a date and time is written"),
        (T.TIME, "9:30", "a time is written"),
        (T.DAYS_TIME, "P1Y", "a duration is written"),
        (T.DAYS_TIME, "P", "a duration is written"),
        (T.YEARS_MONTHS, "P1D", "in years and months"),
        (T.ANY, {"a": 1}, "a number is expected, not an object"),
    ],
)
def test_a_value_that_is_nearly_right_is_refused(kind: FeelType, found: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_value(kind, found)


def test_every_wrong_input_is_named() -> None:
    wanted = (
        Variable("age", T.NUMBER),
        Variable("loan", fields=(Variable("rate", T.NUMBER), Variable("term", T.NUMBER))),
        Variable("name", T.STRING),
    )

    with pytest.raises(InvalidInputs) as refused:
        read_inputs(wanted, {"age": "18", "loan": {"rate": 1, "sum": 2}, "Age": 18})

    assert sorted(map(str, refused.value.problems)) == [
        "Age: is no input",
        "age: a number is expected, not a string",
        "loan.sum: is no input",
        "loan.term: is missing",
        "name: is missing",
    ]


def test_a_structure_is_read_by_its_fields() -> None:
    wanted = (Variable("loan", fields=(Variable("rate", T.NUMBER),)),)

    assert read_inputs(wanted, {"loan": {"rate": 2}}) == {"loan.rate": Decimal(2)}
    with pytest.raises(InvalidInputs, match="loan: is a structure, not a number"):
        read_inputs(wanted, {"loan": 2})


@pytest.mark.parametrize("found", [0, 121, None])
def test_an_input_outside_its_allowed_values_is_refused(found: int | None) -> None:
    compiled = compile_table(table(("-", '"yes"'), allowed="(0..120]"))

    assert compiled.decide({"x": 120}).value == "yes"
    with pytest.raises(InvalidInputs, match=r"is none of the allowed values \(0\.\.120\]"):
        compiled.decide({"x": found})
