"""Decisions that need each other: the requirements graph of a model (DMN 1.5, 6.2 and 6.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from tools.decisions.errors import InvalidTable, Problem
from tools.decisions.formulas import Formula
from tools.decisions.tables import Table, Variable

MAX_DECISIONS = 100


@dataclass(frozen=True, slots=True)
class DecisionNode:
    """A decision, what decides it, and the names of the inputs and decisions that it requires."""

    name: str
    logic: Table | Formula
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionModel:
    """A model: what is given, and what is decided."""

    name: str
    inputs: tuple[Variable, ...]
    decisions: tuple[DecisionNode, ...]


def order_decisions(model: DecisionModel) -> list[DecisionNode]:
    """Return the decisions, each after those that it requires; raises InvalidTable where there is no such order."""
    problems = list(_graph_problems(model))
    if problems:
        raise InvalidTable(problems)
    nodes = {node.name: node for node in model.decisions}
    try:
        order = list(TopologicalSorter({each.name: each.requires for each in model.decisions}).static_order())
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise InvalidTable([Problem(model.name, f"decisions require each other: {circle}")]) from None
    return [nodes[name] for name in order if name in nodes]


def _graph_problems(model: DecisionModel) -> Iterator[Problem]:
    names = [*(each.name for each in model.decisions), *(each.name for each in model.inputs)]
    if not 0 < len(model.decisions) <= MAX_DECISIONS:
        yield Problem(model.name, f"between 1 and {MAX_DECISIONS} decisions are needed")
    if len(set(names)) < len(names):
        yield Problem(model.name, "two of its decisions and inputs have the same name")
    rules = Counter(
        rule.id for node in model.decisions if isinstance(node.logic, Table) for rule in node.logic.rules
    )
    yield from (
        Problem(model.name, f"two rules have the id {rule!r}") for rule, count in rules.items() if count > 1
    )
    for node in model.decisions:
        for name in node.requires:
            if name not in names:
                yield Problem(node.name, f"requires {name!r}, which is not there")
