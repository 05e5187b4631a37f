"""A decision that is one expression (DMN 1.5, 7.3.1, literal expressions)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.decisions.building import Builder
from tools.decisions.errors import ContradictoryTable, InvalidTable
from tools.decisions.feel.evaluation import Evaluator, Scope, check_value, compile_expression
from tools.decisions.feel.values import FeelType
from tools.decisions.inputs import flatten
from tools.decisions.results import Decision
from tools.decisions.tables import Variable


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression and the type of its value."""

    text: str
    type: FeelType = FeelType.ANY


@dataclass(frozen=True, slots=True)
class CompiledFormula:
    """A formula that decides."""

    formula: Formula
    evaluate: Evaluator
    names: tuple[str, ...]

    def decide_in(self, scope: Scope) -> Decision:
        """Return the value; raises ContradictoryTable for one of another type than declared."""
        value = self.evaluate(scope)
        try:
            check_value(value, self.formula.type)
        except ValueError as error:
            raise ContradictoryTable(str(error)) from None
        return Decision(value, tuple((name, scope[name]) for name in self.names))


def compile_formula(formula: Formula, variables: Sequence[Variable]) -> CompiledFormula:
    """Return a formula that decides; raises InvalidTable."""
    types = {each.name: each.type for each in flatten(variables)}
    builder = Builder(types)
    tree = builder.expression("formula", formula.text, formula.type)
    if builder.problems:
        raise InvalidTable(builder.problems)
    return CompiledFormula(formula, compile_expression(tree), tuple(types))
