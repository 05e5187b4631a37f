"""A model written as DMN 1.5. What was imported says the same again; drawings and remarks are not kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lxml import etree

from tools.decisions.errors import InvalidTable, Problem
from tools.decisions.feel.values import FeelType
from tools.decisions.formulas import Formula
from tools.decisions.graphs import DecisionModel, DecisionNode
from tools.decisions.tables import Input, Output, Rule, Table, Variable

NAMESPACE = "https://www.omg.org/spec/DMN/20230324/MODEL/"
FEEL = "https://www.omg.org/spec/DMN/20230324/FEEL/"


def export_model(model: DecisionModel, namespace: str = "urn:agentops:decisions") -> bytes:
    """Return the document; `namespace` is the address under which others may refer to the model.

    Raises InvalidTable for a text that no XML can hold.
    """
    try:
        root = _write(model, namespace)
    except ValueError:
        raise InvalidTable([Problem(model.name, "holds a character that XML cannot write")]) from None
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _write(model: DecisionModel, namespace: str) -> etree._Element:
    root = etree.fromstring(f'<definitions xmlns="{NAMESPACE}"/>')
    _set(root, name=model.name, namespace=namespace, expressionLanguage=FEEL, typeLanguage=FEEL)
    for number, variable in enumerate(model.inputs, 1):
        if variable.allowed or variable.fields:
            _define(_add(root, "itemDefinition", name=f"type-{number}"), variable)
    ids = _ids(model)
    for number, variable in enumerate(model.inputs, 1):
        _write_input(root, variable, number, ids)
    for node in model.decisions:
        _write_decision(root, node, ids, {each.name for each in model.inputs})
    return root


def _ids(model: DecisionModel) -> dict[str, str]:
    """Return an id for each input and decision; rules keep theirs, and share the name space."""
    taken = [
        rule.id for node in model.decisions if isinstance(node.logic, Table) for rule in node.logic.rules
    ]
    prefix = "_"
    while any(each.startswith(prefix) for each in taken):
        prefix += "_"
    named = [*(each.name for each in model.inputs), *(each.name for each in model.decisions)]
    return {name: f"{prefix}{number}" for number, name in enumerate(named, 1)}


def _define(parent: etree._Element, variable: Variable) -> None:
    if variable.fields:
        for each in variable.fields:
            _define(_add(parent, "itemComponent", name=each.name), each)
        return
    _add(parent, "typeRef").text = variable.type.value
    if variable.allowed:
        _add_text(parent, "allowedValues", variable.allowed)


def _write_input(root: etree._Element, variable: Variable, number: int, ids: Mapping[str, str]) -> None:
    element = _add(root, "inputData", id=ids[variable.name], name=variable.name)
    kind = f"type-{number}" if variable.allowed or variable.fields else variable.type.value
    _add(element, "variable", name=variable.name, typeRef=kind)


def _write_decision(
    root: etree._Element, node: DecisionNode, ids: Mapping[str, str], inputs: set[str]
) -> None:
    element = _add(root, "decision", id=ids[node.name], name=node.name)
    _add(element, "variable", name=node.name)
    for name in node.requires:
        requirement = _add(element, "informationRequirement")
        _add(requirement, "requiredInput" if name in inputs else "requiredDecision", href=f"#{ids[name]}")
    if isinstance(node.logic, Formula):
        _add_text(element, "literalExpression", node.logic.text, typeRef=_reference(node.logic.type))
    else:
        _write_table(element, node.logic)


def _write_table(parent: etree._Element, table: Table) -> None:
    aggregation = table.aggregation.value if table.aggregation else ""
    element = _add(parent, "decisionTable", hitPolicy=table.hit_policy.value, aggregation=aggregation)
    for clause in table.inputs:
        _write_condition(element, clause)
    for output in table.outputs:
        _write_conclusion(element, output)
    for title in table.annotations:
        _add(element, "annotation").set("name", title)
    for rule in table.rules:
        _write_rule(element, rule)


def _write_condition(parent: etree._Element, clause: Input) -> None:
    element = _add(parent, "input", label=clause.label)
    _add_text(element, "inputExpression", clause.expression, typeRef=_reference(clause.type))
    if clause.allowed:
        _add_text(element, "inputValues", clause.allowed)


def _write_conclusion(parent: etree._Element, output: Output) -> None:
    element = _add(parent, "output", name=output.name, typeRef=_reference(output.type))
    if output.values:
        _add_text(element, "outputValues", output.values)
    if output.default:
        _add_text(element, "defaultOutputEntry", output.default)


def _write_rule(parent: etree._Element, rule: Rule) -> None:
    element = _add(parent, "rule", id=rule.id)
    _add_texts(element, "inputEntry", rule.tests)
    _add_texts(element, "outputEntry", rule.outputs)
    _add_texts(element, "annotationEntry", rule.annotations)


def _reference(kind: FeelType) -> str:
    return "" if kind is FeelType.ANY else kind.value


def _add_texts(parent: etree._Element, tag: str, texts: Iterable[str]) -> None:
    for text in texts:
        _add_text(parent, tag, text)


def _add_text(parent: etree._Element, tag: str, text: str, **attributes: str) -> None:
    _add(_add(parent, tag, **attributes), "text").text = text


def _add(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{tag}")
    _set(element, **attributes)
    return element


def _set(element: etree._Element, **attributes: str) -> None:
    for name, value in attributes.items():
        if value:
            element.set(name, value)
