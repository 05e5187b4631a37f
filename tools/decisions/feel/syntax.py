"""What a text of S-FEEL says, as a tree (DMN 1.5, 9.2)."""

from __future__ import annotations

from dataclasses import dataclass

from tools.decisions.feel.values import Value


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it is written."""

    value: Value
    position: int = 1


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, qualified by its structure if it belongs to one: ``loan.rate``."""

    name: str
    position: int = 1


@dataclass(frozen=True, slots=True)
class Negation:
    """``-x`` or ``not(x)``."""

    sign: str
    operand: Expression
    position: int = 1


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and the sign between them."""

    sign: str
    left: Expression
    right: Expression
    position: int = 1


Expression = Literal | Name | Negation | Operation


@dataclass(frozen=True, slots=True)
class Comparison:
    """``<= endpoint``; without a sign the sign is ``=``."""

    sign: str
    endpoint: Expression


@dataclass(frozen=True, slots=True)
class Interval:
    """``[low..high)``; a closed end includes its endpoint."""

    low: Expression
    low_closed: bool
    high: Expression
    high_closed: bool
    position: int = 1


UnaryTest = Comparison | Interval


@dataclass(frozen=True, slots=True)
class UnaryTests:
    """A cell: any of `tests` holds, or with `negated` none does. Without tests it is ``-``: whatever comes."""

    tests: tuple[UnaryTest, ...] = ()
    negated: bool = False
