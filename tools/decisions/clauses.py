"""The columns and rows of a table, compiled; every problem is collected with its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tools.decisions.errors import FeelError, Problem
from tools.decisions.feel.evaluation import (
    Evaluator,
    Types,
    check_type,
    check_value,
    compile_expression,
    constant,
    is_constant,
)
from tools.decisions.feel.matching import Cell, Matcher, compile_tests
from tools.decisions.feel.parser import parse_expression
from tools.decisions.feel.syntax import Comparison, Expression, UnaryTests
from tools.decisions.feel.unary_tests import parse_unary_tests
from tools.decisions.feel.values import FeelType, Value
from tools.decisions.results import NO_DECISION, NoDecision
from tools.decisions.tables import Input, Output, Rule, Table

EVERYTHING = Cell(UnaryTests(), None)


@dataclass(frozen=True, slots=True)
class Condition:
    """An input clause: how its value is computed, and what it may be."""

    clause: Input
    evaluate: Evaluator
    tree: Expression
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


@dataclass
class Builder:
    """Compiles the parts of one table and notes what is wrong with each."""

    types: Types
    problems: list[Problem] = field(default_factory=list)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Note what is refused inside as a problem of this place."""
        try:
            yield
        except (FeelError, ValueError) as error:
            self.problems.append(Problem(place, str(error)))

    def cell(self, place: str, text: str, wanted: FeelType) -> Cell:
        """Return a compiled cell, or one that fits everything after noting why not."""
        with self.at(place):
            return compile_tests(parse_unary_tests(text, self.types), wanted, self.types)
        return EVERYTHING

    def condition(self, number: int, clause: Input) -> Condition | None:
        """Return an input clause, or nothing after noting why not."""
        place = f"input {number}"
        allowed = self.cell(f"{place}, allowed values", clause.allowed or "-", clause.type)
        with self.at(place):
            tree = parse_expression(clause.expression, self.types)
            check_type(tree, clause.type, self.types)
            return Condition(clause, compile_expression(tree), tree, allowed)
        return None

    def conclusion(self, number: int, clause: Output, *, prioritized: bool) -> Conclusion:
        """Return an output clause."""
        place = f"output {number}"
        allowed = self.cell(f"{place}, values", clause.values or "-", clause.type)
        priorities = _constants(allowed.tests)
        if prioritized and clause.values and not priorities:
            self.problems.append(Problem(f"{place}, values", "priority needs a list of single values"))
        conclusion = Conclusion(clause, allowed, priorities)
        return Conclusion(clause, allowed, priorities, self._default(place, conclusion))

    def row(self, number: int, rule: Rule, table: Table, conclusions: list[Conclusion]) -> Row:
        """Return a rule."""
        cells = tuple(
            self.cell(f"rule {number}, input {column}", text, clause.type)
            for column, (text, clause) in enumerate(zip(rule.tests, table.inputs, strict=True), 1)
        )
        results = tuple(
            self._result(f"rule {number}, output {column}", text, conclusion)
            for column, (text, conclusion) in enumerate(zip(rule.outputs, conclusions, strict=True), 1)
        )
        checks = tuple((at, cell.matches) for at, cell in enumerate(cells) if cell.matches)
        fixed = tuple(value for _, value in results if not isinstance(value, NoDecision))
        whole = fixed if len(fixed) == len(results) else None
        return Row(rule, cells, checks, tuple(each for each, _ in results), whole)

    def _default(self, place: str, conclusion: Conclusion) -> Value | NoDecision:
        if not conclusion.clause.default:
            return NO_DECISION
        with self.at(f"{place}, default"):
            tree = parse_expression(conclusion.clause.default, self.types)
            if not is_constant(tree):
                raise ValueError("a default names no variable")
            return check_output(constant(tree), conclusion)
        return NO_DECISION

    def _result(self, place: str, text: str, conclusion: Conclusion) -> tuple[Evaluator, Value | NoDecision]:
        with self.at(place):
            tree = parse_expression(text, self.types)
            check_type(tree, conclusion.clause.type, self.types)
            fixed = check_output(constant(tree), conclusion) if is_constant(tree) else NO_DECISION
            return compile_expression(tree), fixed
        return (lambda scope: None), None


def check_output(value: Value, conclusion: Conclusion) -> Value:
    """Return the value; raises ValueError if it is of another type, or none of the output's values."""
    check_value(value, conclusion.clause.type)
    matches = conclusion.allowed.matches
    if matches and matches(value, {}) is not True:
        raise ValueError(f"is none of the values {conclusion.clause.values}")
    return value


def _constants(tests: UnaryTests) -> tuple[Value, ...]:
    single = [test for test in tests.tests if isinstance(test, Comparison) and test.sign == "="]
    if tests.negated or len(single) != len(tests.tests):
        return ()
    return tuple(constant(test.endpoint) for test in single if is_constant(test.endpoint))
