"""Random tables, small enough to be looked at value by value."""

from __future__ import annotations

from hypothesis import strategies as st

from tools.decisions.feel.values import FeelType
from tools.decisions.tables import Aggregation, HitPolicy, Input, Output, Rule, Table

_T = FeelType
VALUES = {
    _T.NUMBER: [str(n) for n in range(-2, 7)],
    _T.STRING: ['"a"', '"b"', '"c"', '"d \\"e\\""'],
    _T.BOOLEAN: ["true", "false"],
    _T.DATE: [f'date("2024-02-{day}")' for day in range(26, 30)] + ['date("2024-03-02")'],
    _T.TIME: ['time("09:00:00")', 'time("10:30:00")', 'time("23:59:59.999999")'],
    _T.YEARS_MONTHS: ['duration("P1M")', 'duration("P2M")', 'duration("P1Y")'],
}
ORDERED = [_T.NUMBER, _T.DATE, _T.TIME, _T.YEARS_MONTHS]


def cells(kind: FeelType) -> st.SearchStrategy[str]:
    """Generate cells that may be written for a type."""
    values = VALUES[kind]
    one = st.sampled_from(values)
    tests = [one, st.just("null")]
    if kind in ORDERED:
        pairs = st.tuples(st.integers(0, len(values) - 1), st.integers(0, len(values) - 1)).filter(
            lambda p: p[0] < p[1]
        )
        tests += [
            st.tuples(st.sampled_from(["< ", "<=", ">", ">= "]), one).map("".join),
            st.tuples(st.sampled_from("[(]"), pairs, st.sampled_from("])[")).map(
                lambda it: f"{it[0]}{values[it[1][0]]}..{values[it[1][1]]}{it[2]}"
            ),
        ]
    lists = st.lists(st.one_of(tests), min_size=1, max_size=3).map(", ".join)
    return st.one_of(st.just("-"), lists, lists.map(lambda text: f"not({text})"))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Generate a table of up to three inputs and five rules; most hit policies, with what they need."""
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3))
    policy = draw(st.sampled_from(list(HitPolicy)))
    counted = policy is HitPolicy.COLLECT and draw(st.booleans())
    outputs = ("first",) if counted else draw(st.sampled_from([("first",), ("first", "second")]))
    results = st.tuples(*[st.sampled_from(["1", "2", "3"]) for _ in outputs])
    rows = draw(
        st.lists(
            st.tuples(st.tuples(*map(cells, kinds)), results, st.text("äb <&>]", max_size=5)),
            min_size=1,
            max_size=5,
        )
    )
    return Table(
        inputs=tuple(
            Input(f"x {at}", kind, draw(_allowed(kind)), f"in {at}") for at, kind in enumerate(kinds)
        ),
        outputs=tuple(
            Output(name, _T.NUMBER, "3, 1, 2", draw(st.sampled_from(["", "2"]))) for name in outputs
        ),
        rules=tuple(Rule(f"r{at}", when, then, (why.strip(),)) for at, (when, then, why) in enumerate(rows)),
        hit_policy=policy,
        aggregation=draw(st.sampled_from(list(Aggregation))) if counted else None,
        annotations=("why",),
    )


def _allowed(kind: FeelType) -> st.SearchStrategy[str]:
    values = VALUES[kind]
    return st.sampled_from(["", ", ".join(values[:2]), *([f"> {values[0]}"] if kind in ORDERED else [])])
