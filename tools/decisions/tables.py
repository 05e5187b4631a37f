"""A decision table as its author wrote it: texts, kept as they are (DMN 1.5, 8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tools.decisions.feel.lexer import normalize_name
from tools.decisions.feel.values import FeelType


class HitPolicy(Enum):
    """What the rules that are hit amount to (DMN 1.5, 8.2.11)."""

    UNIQUE = "UNIQUE"
    FIRST = "FIRST"
    PRIORITY = "PRIORITY"
    ANY = "ANY"
    COLLECT = "COLLECT"
    RULE_ORDER = "RULE ORDER"
    OUTPUT_ORDER = "OUTPUT ORDER"


class Aggregation(Enum):
    """What COLLECT makes of the outputs, if not a list."""

    SUM = "SUM"
    COUNT = "COUNT"
    MIN = "MIN"
    MAX = "MAX"


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that is given to a decision; with `fields` it is a structure, and has no type of its own.

    `allowed` are unary tests.
    """

    name: str
    type: FeelType = FeelType.ANY
    allowed: str = ""
    fields: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """A column of conditions: the expression that its cells are about. `allowed` are unary tests."""

    expression: str
    type: FeelType = FeelType.ANY
    allowed: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A column of results. `values` are unary tests: first comes first in priority. `default` is an expression."""

    name: str = ""
    type: FeelType = FeelType.ANY
    values: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row: one cell per input and per output, and remarks that are traced with the hit."""

    id: str
    tests: tuple[str, ...]
    outputs: tuple[str, ...]
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table; `annotations` are the titles of the columns of remarks."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rules: tuple[Rule, ...]
    hit_policy: HitPolicy = HitPolicy.UNIQUE
    aggregation: Aggregation | None = None
    annotations: tuple[str, ...] = ()


def infer_variables(table: Table) -> tuple[Variable, ...]:
    """Return the variables of a table that stands alone: each input's expression is the name of one."""
    found: dict[str, Variable] = {}
    for clause in table.inputs:
        name = normalize_name(clause.expression)
        found.setdefault(name, Variable(name, clause.type))
    return tuple(found.values())
