"""A DMN document read as a model: its inputs, its decisions, and what they require (DMN 1.5, 6.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from tools.decisions.dmn.document import Node, read_document
from tools.decisions.dmn.items import Item, Items
from tools.decisions.dmn.table_reading import check_language, read_entry, read_table
from tools.decisions.feel.lexer import normalize_name
from tools.decisions.formulas import Formula
from tools.decisions.graphs import DecisionModel, DecisionNode
from tools.decisions.tables import Table, Variable, infer_variables

# Elements that say who decides and why, or draw the model: they decide nothing.
_BESIDE = (
    "knowledgeSource",
    "textAnnotation",
    "association",
    "group",
    "elementCollection",
    "performanceIndicator",
    "organizationUnit",
)
_ABOUT_A_DECISION = (
    "question",
    "allowedAnswers",
    "authorityRequirement",
    "supportedObjective",
    "impactedPerformanceIndicator",
    "decisionMaker",
    "decisionOwner",
    "usingProcess",
    "usingTask",
)

_NAME = re.compile(r"[^\W\d]\w*(?: \w+)*")


def import_model(raw: bytes) -> DecisionModel:
    """Return the model in a document; raises InvalidTable with the line of what is wrong or not supported."""
    root = read_document(raw)
    check_language(root)
    root.only("itemDefinition", "inputData", "decision", *_BESIDE)
    items, names = Items(root), _names(root)
    inputs = tuple(_variable(each, items) for each in root.children("inputData"))
    decisions = tuple(_decision(each, items, names) for each in root.children("decision"))
    return _stand_alone(root, decisions) or DecisionModel(root.attribute("name"), inputs, decisions)


def _stand_alone(root: Node, decisions: tuple[DecisionNode, ...]) -> DecisionModel | None:
    """Return the model of a table that declares no inputs, as some editors write it: its columns name them.

    None where anything is declared or required, or where a column holds more than a name.
    """
    if root.children("inputData") or len(decisions) != 1 or decisions[0].requires:
        return None
    logic = decisions[0].logic
    if not isinstance(logic, Table) or not all(_NAME.fullmatch(each.expression) for each in logic.inputs):
        return None
    inputs = infer_variables(logic)
    if decisions[0].name in (names := [each.name for each in inputs]):
        return None
    return DecisionModel(root.attribute("name"), inputs, (replace(decisions[0], requires=tuple(names)),))


def _names(root: Node) -> dict[str, str]:
    """Return the names of inputs and decisions by their ids; refuses one name for two."""
    found: dict[str, str] = {}
    for node in root.children("inputData", "decision"):
        name = normalize_name(node.attribute("name"))
        if not name:
            raise node.refusal("has no name")
        if name in found.values():
            raise node.refusal("another input or decision has this name")
        found[node.attribute("id") or f"#{name}"] = name
    return found


def _variable(node: Node, items: Items) -> Variable:
    item = _typed(node, items)
    if item.is_list:
        raise node.refusal("a list is no value of S-FEEL")
    return Variable(normalize_name(node.attribute("name")), item.type, item.allowed, item.fields)


def _typed(node: Node, items: Items) -> Item:
    variable = node.child("variable")
    return items.resolve(variable, variable.attribute("typeRef")) if variable else Item()


def _decision(node: Node, items: Items, names: Mapping[str, str]) -> DecisionNode:
    node.only("variable", "informationRequirement", "decisionTable", "literalExpression", *_ABOUT_A_DECISION)
    requires = tuple(_required(each, names) for each in node.children("informationRequirement"))
    name = normalize_name(node.attribute("name"))
    return DecisionNode(name, _logic(node, _typed(node, items), items, name), requires)


def _logic(node: Node, result: Item, items: Items, name: str) -> Table | Formula:
    logic = node.children("decisionTable", "literalExpression")
    if len(logic) != 1:
        raise node.refusal("needs one decision table or one literal expression")
    if logic[0].tag == "decisionTable":
        return read_table(logic[0], items, result, name)
    declared = items.resolve(logic[0], logic[0].attribute("typeRef"))
    return Formula(read_entry(logic[0]), (declared if logic[0].attribute("typeRef") else result).type)


def _required(node: Node, names: Mapping[str, str]) -> str:
    node.only("requiredInput", "requiredDecision")
    required = node.children("requiredInput", "requiredDecision")
    reference = required[0].attribute("href") if len(required) == 1 else ""
    # A reference may name the document that it stands in.
    place, mark, identifier = reference.partition("#")
    own = str(node.element.getroottree().getroot().get("namespace", ""))
    if not mark or place not in ("", own) or identifier not in names:
        raise node.refusal(f"refers to {reference!r}, which is no input or decision of this document")
    return names[identifier]
