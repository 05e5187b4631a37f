"""The shop's calculator: numbers, + - * /, parentheses. Parsed, never evaluated as Python."""

from __future__ import annotations

import ast
import operator
import re
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Room for any sum of prices; it also bounds depth and the size of numbers.
MAX_LENGTH = 200
CHARACTERS = re.compile(r"[0-9.+\-*/() ]+")
PLACES = Decimal("1e-10")
OPERATORS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculate(expression: str) -> str:
    """Return the value as decimal text, rounded to ten places: "155.33 - 147.05" → "8.28".

    Raises ValueError for whatever is not such an expression, and for a division by zero.
    """
    if len(expression) > MAX_LENGTH or not CHARACTERS.fullmatch(expression):
        raise ValueError(
            f"an expression has at most {MAX_LENGTH} characters, all of them digits, .+-*/() or spaces"
        )
    try:
        value = evaluate(ast.parse(expression.strip(), mode="eval").body)
        # Ten places of a very large number would exceed the precision; such a number has none to round.
        rounded = value.quantize(PLACES) if abs(value) < 10**15 else value
    except (SyntaxError, RecursionError, MemoryError, ArithmeticError) as error:
        raise ValueError(f"cannot calculate {expression!r}") from error
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def evaluate(node: ast.expr) -> Decimal:
    """Return the value of a parsed expression; raises ValueError for a node that is no arithmetic."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return Decimal(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -evaluate(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return evaluate(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](evaluate(left), evaluate(right))
    raise ValueError("only numbers, + - * / and parentheses can be calculated")
