"""The columns and rows of a table, compiled."""

from __future__ import annotations

from dataclasses import dataclass

from tools.decisions.feel.evaluation import Evaluator, check_value
from tools.decisions.feel.matching import Cell, Matcher
from tools.decisions.feel.values import Value
from tools.decisions.results import NO_DECISION, NoDecision
from tools.decisions.tables import Input, Output, Rule


@dataclass(frozen=True, slots=True)
class Condition:
    """An input clause: how its value is computed, and what it may be."""

    clause: Input
    evaluate: Evaluator
    allowed: Cell


@dataclass(frozen=True, slots=True)
class Conclusion:
    """An output clause: its values in the order of priority, if they are a list of constants."""

    clause: Output
    allowed: Cell
    priorities: tuple[Value, ...]
    default: Value | NoDecision = NO_DECISION


@dataclass(frozen=True, slots=True)
class Row:
    """A rule: its cells, the positions and matchers of those that ask for something, its results."""

    rule: Rule
    cells: tuple[Cell, ...]
    checks: tuple[tuple[int, Matcher], ...]
    results: tuple[Evaluator, ...]
    constants: tuple[Value, ...] | None


def check_output(value: Value, conclusion: Conclusion) -> Value:
    """Return the value; raises ValueError if it is of another type, or none of the output's values."""
    check_value(value, conclusion.clause.type)
    matches = conclusion.allowed.matches
    if matches and matches(value, {}) is not True:
        raise ValueError(f"is none of the values {conclusion.clause.values}")
    return value
