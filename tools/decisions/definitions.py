"""A definition as it is stored, JSON: a table that stands alone, or a model and which of its decisions is meant.

A table has ``inputs``, ``outputs``, ``rules``, ``hit_policy``, ``aggregation`` and ``annotations``, with the names of
``tables``; all cells are texts. A model has ``model`` and ``decides``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tools.decisions.definition_reading import Reading
from tools.decisions.errors import InvalidTable, Problem
from tools.decisions.feel.lexer import normalize_name
from tools.decisions.feel.values import FeelType
from tools.decisions.formulas import Formula
from tools.decisions.graphs import DecisionModel, DecisionNode
from tools.decisions.tables import Input, Table, Variable, infer_variables

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class ModelDecision:
    """One decision of a model."""

    model: DecisionModel
    decides: str


Definition = Table | ModelDecision


def read_definition(document: object) -> Definition:
    """Return a stored definition; raises InvalidTable for what is no table and no model. Cells are not read yet."""
    reading = Reading()
    if isinstance(document, Mapping) and "model" in document:
        reading.only("definition", document, ("model", "decides"))
        found: Definition = ModelDecision(
            reading.model("model", document["model"]), reading.text("definition", document, "decides")
        )
    else:
        found = reading.table("table", document)
    if reading.problems:
        raise InvalidTable(reading.problems)
    return found


def write_definition(definition: Definition) -> Json:
    """Return a definition as JSON."""
    if isinstance(definition, Table):
        return _write_table(definition)
    model = definition.model
    return {
        "model": {
            "name": model.name,
            "inputs": [_write_variable(each) for each in model.inputs],
            "decisions": [_write_node(each) for each in model.decisions],
        },
        "decides": definition.decides,
    }


def as_model(definition: Definition, name: str) -> ModelDecision:
    """Return a definition as a decision of a model, which is what DMN's XML holds."""
    if isinstance(definition, ModelDecision):
        return definition
    variables = infer_variables(definition)
    names = {each.name for each in variables}
    decides = normalize_name(name) or "decision"
    while decides in names:
        decides += " decided"
    node = DecisionNode(decides, definition, tuple(each.name for each in variables))
    return ModelDecision(DecisionModel(decides, variables, (node,)), decides)


def as_definition(model: DecisionModel, decides: str = "") -> Definition:
    """Return a decision of a model, as a table where it says nothing more; raises InvalidTable for an unclear one.

    Without a name it is the one decision that no other requires.
    """
    required = {name for node in model.decisions for name in node.requires}
    last = [node.name for node in model.decisions if node.name not in required]
    chosen = decides or (last[0] if len(last) == 1 else "")
    if chosen not in {node.name for node in model.decisions}:
        raise InvalidTable([Problem("model", f"name the decision that is meant: {', '.join(last)}")])
    return _plain_table(model) or ModelDecision(model, chosen)


def _plain_table(model: DecisionModel) -> Table | None:
    """Return the table of a model that is nothing else; one that says more about its inputs stays a model."""
    logic = model.decisions[0].logic
    if len(model.decisions) > 1 or not isinstance(logic, Table):
        return None
    known = {each.name: each for each in model.inputs}
    clauses = [_merge(clause, known.get(normalize_name(clause.expression))) for clause in logic.inputs]
    if {normalize_name(each.expression) for each in logic.inputs} != set(known) or None in clauses:
        return None
    inputs = tuple(clause for clause in clauses if clause is not None)
    return Table(inputs, logic.outputs, logic.rules, logic.hit_policy, logic.aggregation, logic.annotations)


def _merge(clause: Input, variable: Variable | None) -> Input | None:
    if (
        variable is None
        or variable.fields
        or (variable.allowed and clause.allowed not in ("", variable.allowed))
    ):
        return None
    kinds = {clause.type, variable.type} - {FeelType.ANY}
    if len(kinds) > 1:
        return None
    kind = kinds.pop() if kinds else FeelType.ANY
    return Input(clause.expression, kind, clause.allowed or variable.allowed, clause.label)


def _write_table(table: Table) -> Json:
    return {
        "inputs": [
            {"expression": x.expression, "type": x.type.value, "allowed": x.allowed, "label": x.label}
            for x in table.inputs
        ],
        "outputs": [
            {"name": x.name, "type": x.type.value, "values": x.values, "default": x.default}
            for x in table.outputs
        ],
        "rules": [
            {
                "id": x.id,
                "tests": list(x.tests),
                "outputs": list(x.outputs),
                "annotations": list(x.annotations),
            }
            for x in table.rules
        ],
        "hit_policy": table.hit_policy.value,
        "aggregation": table.aggregation.value if table.aggregation else "",
        "annotations": list(table.annotations),
    }


def _write_variable(variable: Variable) -> Json:
    fields = {"fields": [_write_variable(each) for each in variable.fields]} if variable.fields else {}
    return {"name": variable.name, "type": variable.type.value, "allowed": variable.allowed, **fields}


def _write_node(node: DecisionNode) -> Json:
    logic = node.logic
    written: Json = (
        {"formula": {"text": logic.text, "type": logic.type.value}}
        if isinstance(logic, Formula)
        else {"table": _write_table(logic)}
    )
    return {"name": node.name, "requires": list(node.requires), **written}
