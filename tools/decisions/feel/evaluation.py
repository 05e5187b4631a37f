"""From trees to functions: compiled once, called for every decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tools.decisions.errors import FeelError
from tools.decisions.feel.arithmetic import calculate, negate
from tools.decisions.feel.comparison import all_of, any_of, as_truth, compare, none_of
from tools.decisions.feel.parser import COMPARISONS
from tools.decisions.feel.syntax import Expression, Literal, Name, Negation, Operation
from tools.decisions.feel.values import FeelType, Value, describe, is_a, type_of

Scope = Mapping[str, Value]
Types = Mapping[str, FeelType]
Evaluator = Callable[[Scope], Value]


def compile_expression(tree: Expression) -> Evaluator:
    """Return the function of a scope that a tree stands for; what needs no scope is computed now."""
    if isinstance(tree, Name):
        return _lookup(tree.name)
    if is_constant(tree):
        value = _combine(tree)({})
        return lambda scope: value
    return _combine(tree)


def is_constant(tree: Expression) -> bool:
    """Whether a tree names no variable."""
    if isinstance(tree, Operation):
        return is_constant(tree.left) and is_constant(tree.right)
    return is_constant(tree.operand) if isinstance(tree, Negation) else isinstance(tree, Literal)


def constant(tree: Expression) -> Value:
    """Return the value of a constant tree."""
    return _combine(tree)({})


def check_type(tree: Expression, wanted: FeelType, types: Types) -> None:
    """Raise FeelError if a tree is sure to yield another type than the wanted one."""
    found = _static_type(tree, types)
    if FeelType.ANY not in (found, wanted) and found is not wanted:
        raise FeelError(f"{describe(found)} stands where {describe(wanted)} is expected", tree.position)


def check_value(value: Value, wanted: FeelType) -> None:
    """Raise ValueError unless a computed value is of the wanted type or null."""
    if not is_a(value, wanted):
        raise ValueError(f"{describe(type_of(value))} came out where {describe(wanted)} is expected")


def _static_type(tree: Expression, types: Types) -> FeelType:
    if isinstance(tree, Name):
        return types.get(tree.name, FeelType.ANY)
    if is_constant(tree):
        return type_of(constant(tree))
    if isinstance(tree, Operation) and tree.sign in (*COMPARISONS, "and", "or"):
        return FeelType.BOOLEAN
    return FeelType.ANY


def _lookup(name: str) -> Evaluator:
    return lambda scope: scope[name]


def _combine(tree: Expression) -> Evaluator:
    if isinstance(tree, Operation):
        return _operation(tree.sign, _combine(tree.left), _combine(tree.right))
    if isinstance(tree, Negation):
        return _negation(tree.sign, _combine(tree.operand))
    if isinstance(tree, Name):
        return _lookup(tree.name)
    value = tree.value
    return lambda scope: value


def _negation(sign: str, operand: Evaluator) -> Evaluator:
    if sign == "-":
        return lambda scope: negate(operand(scope))
    return lambda scope: none_of(as_truth(operand(scope)))


def _operation(sign: str, left: Evaluator, right: Evaluator) -> Evaluator:
    if sign in ("and", "or"):
        join = all_of if sign == "and" else any_of
        return lambda scope: join(as_truth(left(scope)), as_truth(right(scope)))
    if sign in COMPARISONS:
        return lambda scope: compare(sign, left(scope), right(scope))
    return lambda scope: calculate(sign, left(scope), right(scope))
