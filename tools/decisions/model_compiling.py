"""A model compiled once, and asked for decisions many times (DMN 1.5, 6.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools.decisions.compiling import CompiledTable, compile_table
from tools.decisions.errors import InvalidInputs, InvalidTable, Problem
from tools.decisions.feel.values import FeelType, Value
from tools.decisions.formulas import CompiledFormula, Formula, compile_formula
from tools.decisions.graphs import DecisionModel, DecisionNode, order_decisions
from tools.decisions.hit_policies import SINGLE
from tools.decisions.inputs import flatten
from tools.decisions.reading import InputReader, compile_reader
from tools.decisions.results import Decision
from tools.decisions.tables import Aggregation, Variable


@dataclass(frozen=True, slots=True)
class Plan:
    """What one decision takes: the inputs to read, and the decisions to make, itself last."""

    reader: InputReader
    order: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """A model that decides."""

    model: DecisionModel
    decisions: Mapping[str, CompiledTable | CompiledFormula]
    results: Mapping[str, Variable]
    plans: Mapping[str, Plan]

    def decide(self, name: str, document: Mapping[str, object]) -> dict[str, Decision]:
        """Return the named decision, last, after all that it requires; raises InvalidInputs, ContradictoryTable.

        Inputs that it does not require may be left out. A decision that was not made is null to who requires it.
        """
        if name not in self.plans:
            raise InvalidInputs([Problem(name, "is no decision of this model")])
        scope = self.plans[name].reader.read(self._needed(name, document))
        made: dict[str, Decision] = {}
        for each in self.plans[name].order:
            made[each] = self.decisions[each].decide_in(scope)
            scope |= _spread(self.results.get(each), made[each])
        return made

    def _needed(self, name: str, document: Mapping[str, object]) -> dict[str, object]:
        """Leave out the inputs that only other decisions take; what is no input at all stays, to be refused."""
        needed = {each.name for each in self.plans[name].reader.variables}
        others = {each.name for each in self.model.inputs} - needed
        return {key: value for key, value in document.items() if key not in others}


def compile_model(model: DecisionModel) -> CompiledModel:
    """Return a model that decides; raises InvalidTable with the decision and the place of every problem."""
    compile_reader(model.inputs)
    nodes, known = order_decisions(model), {each.name: each for each in model.inputs}
    compiled: dict[str, CompiledTable | CompiledFormula] = {}
    results: dict[str, Variable] = {}
    for node in nodes:
        compiled[node.name] = _compile_node(node, known)
        if (result := result_of(node)) is not None:
            known[node.name] = results[node.name] = result
    plans = {node.name: _plan(node.name, model, list(compiled)) for node in nodes}
    return CompiledModel(model, compiled, results, plans)


def result_of(node: DecisionNode) -> Variable | None:
    """Return the variable that a decision is to others; None for a list, which S-FEEL cannot read."""
    if isinstance(node.logic, Formula):
        return Variable(node.name, node.logic.type)
    table = node.logic
    if table.aggregation is Aggregation.COUNT:
        return Variable(node.name, FeelType.NUMBER)
    if not table.aggregation and table.hit_policy not in SINGLE:
        return None
    if len(table.outputs) == 1:
        return Variable(node.name, table.outputs[0].type)
    return Variable(node.name, fields=tuple(Variable(each.name, each.type) for each in table.outputs))


def _compile_node(node: DecisionNode, known: Mapping[str, Variable]) -> CompiledTable | CompiledFormula:
    lists = [
        Problem(node.name, f"requires {each!r}, which is a list")
        for each in node.requires
        if each not in known
    ]
    if lists:
        raise InvalidTable(lists)
    variables = [known[each] for each in dict.fromkeys(node.requires)]
    try:
        if isinstance(node.logic, Formula):
            return compile_formula(node.logic, variables)
        return compile_table(node.logic, variables)
    except InvalidTable as error:
        raise InvalidTable(
            [Problem(f"{node.name}, {each.place}", each.words) for each in error.problems]
        ) from None


def _plan(name: str, model: DecisionModel, order: Sequence[str]) -> Plan:
    requires = {node.name: node.requires for node in model.decisions}
    found, waiting = {name}, [name]
    while waiting:
        new = set(requires.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    reader = compile_reader([each for each in model.inputs if each.name in found])
    return Plan(reader, tuple(each for each in order if each in found))


def _spread(variable: Variable | None, decision: Decision) -> dict[str, Value]:
    """Return what a decision adds to the scope of those that require it."""
    if variable is None:
        return {}
    if isinstance(decision.value, dict):
        return {f"{variable.name}.{name}": value for name, value in decision.value.items()}
    return dict.fromkeys((leaf.name for leaf in flatten([variable])), decision.scalar())
