"""Gaps and overlaps, against looking at value after value."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given, settings

from tests.tools.decisions.generated import VALUES, tables
from tests.tools.decisions.written import BOOLEAN, NUMBER, STRING, refund_table, table
from tools.decisions.compiling import CompiledTable, compile_table
from tools.decisions.coverage import Region, check_coverage
from tools.decisions.coverage.axes import CannotCheck
from tools.decisions.coverage.boxes import Effort, uncovered
from tools.decisions.coverage.neighbours import after, before
from tools.decisions.feel.evaluation import constant
from tools.decisions.feel.matching import Matcher, compile_tests
from tools.decisions.feel.parser import parse_expression
from tools.decisions.feel.unary_tests import parse_unary_tests
from tools.decisions.feel.values import FeelType, Value
from tools.decisions.tables import HitPolicy, Input, Output, Rule, Table

pytestmark = pytest.mark.dmn


def samples(kind: FeelType) -> list[Value]:
    """Return every value that a cell may name, with its neighbours on both sides."""
    named = [constant(parse_expression(text)) for text in VALUES[kind]]
    if kind is FeelType.BOOLEAN:
        return named
    near = [step for value in named for step in (before(value), after(value))]
    return list(dict.fromkeys([*named, *(value for value in near if value is not None)]))


def matcher(cell: str) -> Matcher | None:
    return compile_tests(parse_unary_tests(cell), FeelType.ANY, {}).matches


def fits(matches: Matcher | None, value: Value) -> bool:
    return matches is None or matches(value, {}) is True


def within(region: Region, point: tuple[Value, ...]) -> bool:
    return all(fits(matcher(cell), value) for (_, cell), value in zip(region.cells, point, strict=True))


def hit_rules(compiled: CompiledTable, point: tuple[Value, ...]) -> set[int]:
    """Return the rules that fit, by number."""
    return {
        number
        for number, row in enumerate(compiled.rows, 1)
        if all(fits(cell.matches, value) for cell, value in zip(row.cells, point, strict=True))
    }


def is_allowed(compiled: CompiledTable, point: tuple[Value, ...]) -> bool:
    pairs = zip(compiled.conditions, point, strict=True)
    return all(fits(condition.allowed.matches, value) for condition, value in pairs)


@pytest.mark.slow
@settings(max_examples=50)
@given(tables())
def test_gaps_and_overlaps_are_those_that_sampling_finds(written: Table) -> None:
    compiled = compile_table(written)
    coverage = check_coverage(compiled)
    assume(not coverage.not_checked)

    claimed = {(each.first, each.second): each.region for each in coverage.overlaps}
    for point in list(product(*(samples(each.type) for each in written.inputs)))[::7]:
        if not is_allowed(compiled, point):
            continue
        hits = hit_rules(compiled, point)
        assert any(within(gap, point) for gap in coverage.gaps) is (not hits)
        both = {pair for pair in claimed if within(claimed[pair], point)}
        assert both == {(one, two) for one in hits for two in hits if one < two}


def cover(
    *rows: tuple[str, str], policy: HitPolicy = HitPolicy.UNIQUE, kind: FeelType = NUMBER, allowed: str = ""
) -> tuple[list[str], list[str]]:
    found = check_coverage(compile_table(table(*rows, policy=policy, kind=kind, allowed=allowed)))
    assert not found.not_checked
    overlaps = [
        f"{each.first}+{each.second} {each.region}{' !' if each.matters else ''}" for each in found.overlaps
    ]
    return [str(gap) for gap in found.gaps], overlaps


@pytest.mark.parametrize(
    ("rows", "kind", "allowed", "gaps", "overlaps"),
    [
        ("<18 | >18", NUMBER, "", ["x: 18"], []),
        ("<18 | >=18", NUMBER, "", [], []),
        ("<=18 | >=18", NUMBER, "", [], ["1+2 x: 18 !"]),
        ("[0..10) | (10..20]", NUMBER, "[0..20]", ["x: 10"], []),
        ("[0..10] | [5..20]", NUMBER, "", ["x: < 0, > 20"], ["1+2 x: [5..10] !"]),
        ("1 | 3", NUMBER, "", ["x: < 1, (1..3), > 3"], []),
        ("not(1, 2) | 1", NUMBER, "", ["x: 2"], []),
        ('"a" | "b"', STRING, "", ['x: not("a", "b")'], []),
        ('"a" | "b"', STRING, '"a", "b", "c"', ['x: "c"'], []),
        ('"a", "b" | not("a")', STRING, "", [], ['1+2 x: "b" !']),
        ('< "m"', STRING, "", ['x: >= "m"'], []),
        ("true", BOOLEAN, "", ["x: false"], []),
        ("true | false", BOOLEAN, "", [], []),
        ("-", BOOLEAN, "", [], []),
        ("- | -", NUMBER, "", [], ["1+2 everything !"]),
        (
            '<= date("2024-02-28") | >= date("2024-02-29")',
            FeelType.DATE,
            "",
            [],
            [],
        ),
        (
            '<= date("2024-02-28") | >= date("2024-03-01")',
            FeelType.DATE,
            "",
            ['x: (date("2024-02-28")..date("2024-03-01"))'],
            [],
        ),
        ('<= @"P11M" | >= @"P1Y"', FeelType.YEARS_MONTHS, "", [], []),
        ("null", NUMBER, "", ["everything"], []),
    ],
)
def test_regions_read_as_a_person_would_write_them(
    rows: str, kind: FeelType, allowed: str, gaps: list[str], overlaps: list[str]
) -> None:
    assert cover(*((cell, "1") for cell in rows.split(" | ")), kind=kind, allowed=allowed) == (gaps, overlaps)


@pytest.mark.parametrize(
    ("policy", "same", "matters"),
    [
        (HitPolicy.UNIQUE, True, True),
        (HitPolicy.UNIQUE, False, True),
        (HitPolicy.ANY, True, False),
        (HitPolicy.ANY, False, True),
        (HitPolicy.FIRST, False, False),
        (HitPolicy.COLLECT, False, False),
    ],
)
def test_whether_an_overlap_matters_is_the_policys_word(policy: HitPolicy, same: bool, matters: bool) -> None:
    compiled = compile_table(table(("-", "2"), ("> 1", "1 + 1" if same else "3"), policy=policy))

    (overlap,) = check_coverage(compiled).overlaps

    assert (overlap.same_outputs, overlap.matters) == (same, matters)


def test_two_columns_about_one_expression_are_one_axis() -> None:
    columns = (Input("x", NUMBER), Input("x", NUMBER))
    rules = (Rule("r1", (">= 0", "< 5"), ("1",)), Rule("r2", (">= 5", "-"), ("1",)))

    found = check_coverage(compile_table(Table(columns, (Output(),), rules)))

    assert ([str(gap) for gap in found.gaps], found.overlaps) == (["x: < 0"], ())


def test_a_default_is_told_beside_the_gaps() -> None:
    assert check_coverage(compile_table(table(("1", "1"), default="0"))).has_default
    assert not check_coverage(compile_table(table(("1", "1")))).has_default


@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [
        ("< x", NUMBER, "not constant"),
        ('1, "a"', FeelType.ANY, "values of different types"),
        ('@"09:00:00", @"09:00:00Z"', FeelType.TIME, "with and without an offset"),
    ],
)
def test_what_cannot_be_told_is_not_claimed(cell: str, kind: FeelType, words: str) -> None:
    found = check_coverage(compile_table(table((cell, "1"), ("-", "1"), kind=kind)))

    assert words in found.not_checked
    assert (found.gaps, found.overlaps) == ((), ())


def test_a_table_that_is_too_large_is_said_to_be() -> None:
    inputs = tuple(Input(f"x{at}", NUMBER) for at in range(30))
    rules = tuple(
        Rule(
            f"r{number}",
            tuple(f"> {(number * 7 + at) % 40}" if (number + at) % 3 else "-" for at in range(30)),
            ("1",),
        )
        for number in range(80)
    )

    assert (
        check_coverage(compile_table(Table(inputs, (Output(),), rules)), most_work=20_000).not_checked
        == "the table is too large to check"
    )
    with pytest.raises(CannotCheck):
        uncovered((1,), [(1,)], Effort(0))


def test_comparing_every_rule_with_every_other_is_bounded_too() -> None:
    compiled = compile_table(table(*[("null", "1")] * 100))

    assert check_coverage(compiled, most_work=1_000).not_checked == "the table is too large to check"
    assert check_coverage(compiled, most_work=10_000).overlaps == ()


def test_a_table_of_twenty_rows_is_checked() -> None:
    found = check_coverage(compile_table(refund_table()))

    assert [str(gap) for gap in found.gaps] == [
        'amount: [0..50); category: not("books", "games"); is member: false',
        "amount: [50..100]",
    ]
    assert found.overlaps == ()
