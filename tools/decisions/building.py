"""Tables compiled part by part; every problem is collected with its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tools.decisions.clauses import Conclusion, Condition, Row, check_output
from tools.decisions.errors import Problem
from tools.decisions.feel.evaluation import Types, check_type, compile_expression, constant, is_constant
from tools.decisions.feel.matching import Cell, compile_tests
from tools.decisions.feel.parser import parse_expression
from tools.decisions.feel.syntax import Comparison, Expression, Literal, UnaryTests
from tools.decisions.feel.unary_tests import parse_unary_tests
from tools.decisions.feel.values import FeelType, Value
from tools.decisions.results import NO_DECISION, NoDecision
from tools.decisions.tables import Input, Output, Rule, Table

_T = TypeVar("_T")
# What stands for a part that was refused, so that the others are still looked at.
EVERYTHING = Cell(UnaryTests(), None)
NOTHING: Expression = Literal(None)
NONE: Value | NoDecision = NO_DECISION


@dataclass
class Builder:
    """Compiles the parts of one table and notes what is wrong with each."""

    types: Types
    problems: list[Problem] = field(default_factory=list)

    def attempt(self, place: str, compile_part: Callable[[], _T], otherwise: _T) -> _T:
        """Return a compiled part; one that is refused is noted as a problem of this place, and replaced."""
        try:
            return compile_part()
        except ValueError as error:
            self.problems.append(Problem(place, str(error)))
            return otherwise

    def cell(self, place: str, text: str, wanted: FeelType) -> Cell:
        """Return a compiled cell."""
        return self.attempt(place, lambda: self._cell(text, wanted), EVERYTHING)

    def condition(self, number: int, clause: Input) -> Condition:
        """Return an input clause."""
        place = f"input {number}"
        allowed = self.cell(f"{place}, allowed values", clause.allowed or "-", clause.type)
        tree = self.expression(place, clause.expression, clause.type)
        return Condition(clause, compile_expression(tree), allowed)

    def expression(self, place: str, text: str, wanted: FeelType) -> Expression:
        """Return the tree of an expression."""
        return self.attempt(place, lambda: self._expression(text, wanted), NOTHING)

    def conclusion(self, number: int, clause: Output, *, prioritized: bool) -> Conclusion:
        """Return an output clause."""
        place = f"output {number}"
        # No variable is known here: what may come out is the same for all inputs.
        plain = Builder({}, self.problems)
        allowed = plain.cell(f"{place}, values", clause.values or "-", clause.type)
        priorities = constants_of(allowed.tests)
        if prioritized and clause.values and not priorities:
            self.problems.append(Problem(f"{place}, values", "priority needs a list of single values"))
        conclusion = Conclusion(clause, allowed, priorities)
        default = self.attempt(f"{place}, default", lambda: plain._default(conclusion), NONE)
        return replace(conclusion, default=default)

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
        fixed = tuple(constant(tree) for tree in results) if all(map(is_constant, results)) else None
        return Row(rule, cells, checks, tuple(map(compile_expression, results)), fixed)

    def _cell(self, text: str, wanted: FeelType) -> Cell:
        return compile_tests(parse_unary_tests(text, self.types), wanted, self.types)

    def _expression(self, text: str, wanted: FeelType) -> Expression:
        tree = parse_expression(text, self.types)
        check_type(tree, wanted, self.types)
        return tree

    def _default(self, conclusion: Conclusion) -> Value | NoDecision:
        if not conclusion.clause.default:
            return NO_DECISION
        tree = self._expression(conclusion.clause.default, conclusion.clause.type)
        return check_output(constant(tree), conclusion)

    def _result(self, place: str, text: str, conclusion: Conclusion) -> Expression:
        def checked() -> Expression:
            tree = self._expression(text, conclusion.clause.type)
            if is_constant(tree):
                check_output(constant(tree), conclusion)
            return tree

        return self.attempt(place, checked, NOTHING)


def constants_of(tests: UnaryTests) -> tuple[Value, ...]:
    """Return the values that unary tests list, none where they are more than a list of values."""
    single = [test for test in tests.tests if isinstance(test, Comparison) and test.sign == "="]
    if tests.negated or len(single) != len(tests.tests):
        return ()
    return tuple(constant(test.endpoint) for test in single)
