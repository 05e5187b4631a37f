"""From the rules that were hit to one outcome, by hit policy (DMN 1.5, 8.2.11 and 10.3.2.10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import reduce

from tools.decisions.errors import ContradictoryTable
from tools.decisions.feel.arithmetic import calculate
from tools.decisions.feel.comparison import compare, equal
from tools.decisions.feel.literals import write_value
from tools.decisions.feel.values import Value
from tools.decisions.results import Hit
from tools.decisions.tables import Aggregation, HitPolicy

Priorities = Sequence[Sequence[Value]]  # the values of each output, first come first
Choice = Callable[[Sequence[Hit], Priorities], list[Hit]]

SINGLE = frozenset({HitPolicy.UNIQUE, HitPolicy.FIRST, HitPolicy.PRIORITY, HitPolicy.ANY})
PRIORITIZED = frozenset({HitPolicy.PRIORITY, HitPolicy.OUTPUT_ORDER})


def choose_hits(policy: HitPolicy, hits: Sequence[Hit], priorities: Priorities) -> list[Hit]:
    """Return the hits that count, in their order; raises ContradictoryTable where the policy forbids several."""
    return _CHOICES[policy](hits, priorities) if hits else []


def say_the_same(left: Sequence[Value], right: Sequence[Value]) -> bool:
    """Whether two hits have equal outputs; true is not 1."""
    return all(equal(a, b) is True for a, b in zip(left, right, strict=True))


def aggregate(kind: Aggregation, values: Sequence[Value]) -> Value:
    """Return what the outputs of all hits amount to; COUNT counts hits, equal outputs included."""
    if kind is Aggregation.COUNT:
        return Decimal(len(values))
    result = reduce(_STEPS[kind], values)
    if result is None:
        raise ContradictoryTable(f"{kind.value} has no result over {', '.join(map(write_value, values))}")
    return result


def _unique(hits: Sequence[Hit], priorities: Priorities) -> list[Hit]:
    if len(hits) > 1:
        raise ContradictoryTable(f"under UNIQUE one rule may be hit, {_list(hits)} were")
    return list(hits)


def _any(hits: Sequence[Hit], priorities: Priorities) -> list[Hit]:
    first = hits[0]
    different = [hit for hit in hits if not say_the_same(hit.outputs, first.outputs)]
    if different:
        raise ContradictoryTable(f"under ANY all hits say the same, {_list([first, *different])} do not")
    return [first]


def _output_order(hits: Sequence[Hit], priorities: Priorities) -> list[Hit]:
    # Sorting is stable: among equals the rules' own order stays.
    return sorted(hits, key=lambda hit: _rank(hit, priorities))


def _rank(hit: Hit, priorities: Priorities) -> list[int]:
    return [values.index(found) for values, found in zip(priorities, hit.outputs, strict=True) if values]


_CHOICES: dict[HitPolicy, Choice] = {
    HitPolicy.UNIQUE: _unique,
    HitPolicy.ANY: _any,
    HitPolicy.FIRST: lambda hits, priorities: [hits[0]],
    HitPolicy.PRIORITY: lambda hits, priorities: _output_order(hits, priorities)[:1],
    HitPolicy.OUTPUT_ORDER: _output_order,
    HitPolicy.COLLECT: lambda hits, priorities: list(hits),
    HitPolicy.RULE_ORDER: lambda hits, priorities: list(hits),
}


def _smaller(left: Value, right: Value) -> Value:
    less = compare("<=", left, right)
    return None if less is None else left if less else right


def _larger(left: Value, right: Value) -> Value:
    more = compare(">=", left, right)
    return None if more is None else left if more else right


_STEPS: dict[Aggregation, Callable[[Value, Value], Value]] = {
    Aggregation.SUM: lambda left, right: calculate("+", left, right),
    Aggregation.MIN: _smaller,
    Aggregation.MAX: _larger,
}


def _list(hits: Sequence[Hit]) -> str:
    return "rules " + " and ".join(f"{hit.number} ({hit.rule})" for hit in hits)
