"""What the rules that are hit amount to (DMN 1.5, 8.2.11)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.tools.decisions.written import NUMBER, table
from tools.decisions.compiling import compile_table
from tools.decisions.errors import ContradictoryTable
from tools.decisions.results import NO_DECISION, Outcome
from tools.decisions.tables import Aggregation, HitPolicy, Input, Output, Rule, Table

pytestmark = pytest.mark.dmn

P, A = HitPolicy, Aggregation
LETTERS = (("> 1", '"b"'), ("> 2", '"a"'), ("> 3", '"b"'))
NUMBERS = (("> 1", "10"), ("> 2", "2.5"), ("> 3", "10"))
VALUES = '"a", "b", "none"'


@pytest.mark.parametrize(
    ("policy", "aggregation", "x", "value", "rules"),
    [
        (P.UNIQUE, None, 0, NO_DECISION, ""),
        (P.UNIQUE, None, 2, "b", "r1"),
        (P.FIRST, None, 9, "b", "r1"),
        (P.PRIORITY, None, 9, "a", "r2"),
        (P.PRIORITY, None, 2, "b", "r1"),
        (P.ANY, None, 2, "b", "r1"),
        (P.COLLECT, None, 9, ["b", "a", "b"], "r1 r2 r3"),
        (P.COLLECT, None, 0, NO_DECISION, ""),
        (P.RULE_ORDER, None, 9, ["b", "a", "b"], "r1 r2 r3"),
        (P.OUTPUT_ORDER, None, 9, ["a", "b", "b"], "r2 r1 r3"),
        (P.COLLECT, A.SUM, 9, Decimal("22.5"), "r1 r2 r3"),
        (P.COLLECT, A.COUNT, 9, Decimal(3), "r1 r2 r3"),
        (P.COLLECT, A.COUNT, 0, NO_DECISION, ""),
        (P.COLLECT, A.MIN, 9, Decimal("2.5"), "r1 r2 r3"),
        (P.COLLECT, A.MAX, 9, Decimal(10), "r1 r2 r3"),
    ],
)
def test_a_policy_makes_one_outcome_of_its_hits(
    policy: HitPolicy, aggregation: Aggregation | None, x: int, value: Outcome, rules: str
) -> None:
    values = "" if aggregation else VALUES
    rows = NUMBERS if aggregation else LETTERS
    decision = compile_table(table(*rows, policy=policy, aggregation=aggregation, values=values)).decide(
        {"x": x}
    )

    assert decision.value == value
    assert decision.rules == tuple(rules.split())


@pytest.mark.parametrize(
    ("policy", "aggregation", "rows", "words"),
    [
        (P.UNIQUE, None, LETTERS, r"rules 1 \(r1\) and 2 \(r2\) and 3 \(r3\) were"),
        (P.UNIQUE, None, (("1", '"a"'), ("-", '"a"')), "under UNIQUE one rule"),
        (P.ANY, None, (("-", "1"), ("-", "true")), "do not"),
        (P.ANY, None, LETTERS, r"rules 1 \(r1\) and 2 \(r2\) do not"),
        (P.COLLECT, A.SUM, (("-", "1"), ("-", '"a"')), "SUM has no result"),
        (P.COLLECT, A.MAX, (("-", "1"), ("-", "null")), "MAX has no result"),
    ],
)
def test_rules_that_contradict_each_other_decide_nothing(
    policy: HitPolicy, aggregation: Aggregation | None, rows: tuple[tuple[str, str], ...], words: str
) -> None:
    x = 1 if len(rows) == 2 else 9

    with pytest.raises(ContradictoryTable, match=words):
        compile_table(table(*rows, policy=policy, aggregation=aggregation)).decide({"x": x})


def test_any_accepts_rules_that_agree() -> None:
    agreeing = table(("> 1", "5"), ("> 2", "10 / 2"), policy=P.ANY)

    decision = compile_table(agreeing).decide({"x": 3})

    assert (decision.value, len(decision.hits), decision.rules) == (Decimal(5), 2, ("r1",))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(P.UNIQUE, "none"), (P.PRIORITY, "none"), (P.COLLECT, ["none"]), (P.OUTPUT_ORDER, ["none"])],
)
def test_without_a_hit_the_default_decides(policy: HitPolicy, expected: Outcome) -> None:
    decision = compile_table(table(*LETTERS, policy=policy, values=VALUES, default='"none"')).decide({"x": 0})

    assert (decision.value, decision.by_default, decision.rules) == (expected, True, ())


def two_outputs(policy: HitPolicy, *, default: str = "") -> Table:
    return Table(
        inputs=(Input("x", NUMBER),),
        outputs=(Output("status", values='"yes", "no"', default=default), Output("rate", values="2, 1")),
        rules=(
            Rule("r1", ("> 0",), ('"no"', "2")),
            Rule("r2", ("> 0",), ('"yes"', "1")),
            Rule("r3", ("> 0",), ('"yes"', "2")),
        ),
        hit_policy=policy,
    )


def test_priority_goes_by_the_first_output_then_by_the_next() -> None:
    assert compile_table(two_outputs(P.PRIORITY)).decide({"x": 1}).value == {
        "status": "yes",
        "rate": Decimal(2),
    }
    assert compile_table(two_outputs(P.OUTPUT_ORDER)).decide({"x": 1}).rules == ("r3", "r2", "r1")


def test_an_output_without_a_default_is_null_beside_one_that_has_it() -> None:
    assert compile_table(two_outputs(P.FIRST, default='"no"')).decide({"x": 0}).value == {
        "status": "no",
        "rate": None,
    }
    assert compile_table(two_outputs(P.FIRST)).decide({"x": 0}).value is NO_DECISION


def test_the_trace_tells_inputs_hits_and_outcome_exactly() -> None:
    decision = compile_table(
        Table(
            inputs=(Input("x", NUMBER),),
            outputs=(Output("share"),),
            rules=(
                Rule("half", ("<= 1",), ("x / 2",), ("as agreed",)),
                Rule("all", ("> 0.3",), ("x",), ("late",)),
            ),
            hit_policy=P.COLLECT,
            annotations=("why",),
        )
    ).decide({"x": Decimal("0.1")})

    assert decision.trace() == {
        "inputs": [{"expression": "x", "value": "0.1"}],
        "hit_policy": "COLLECT",
        "aggregation": None,
        "hits": [{"number": 1, "rule": "half", "outputs": ["0.05"], "annotations": ["as agreed"]}],
        "rules": ["half"],
        "by_default": False,
        "value": ["0.05"],
    }
