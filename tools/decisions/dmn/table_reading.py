"""A ``decisionTable`` read as a table (DMN 1.5, 8.3)."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from tools.decisions.dmn.document import Node
from tools.decisions.dmn.items import Item, Items
from tools.decisions.tables import Aggregation, HitPolicy, Input, Output, Rule, Table

_E = TypeVar("_E", bound=Enum)
_FEEL = ("https://www.omg.org/spec/DMN/", "http://www.omg.org/spec/DMN/", "http://www.omg.org/spec/FEEL/")


def read_table(node: Node, items: Items, result: Item, decision: str) -> Table:
    """Return the table; `result` is the type of the decision that it is for, `decision` its name.

    Raises InvalidTable.
    """
    node.only("input", "output", "annotation", "rule")
    declared = items.resolve(node, node.attribute("typeRef"))
    outputs = node.children("output")
    known = declared if node.attribute("typeRef") else result
    return Table(
        inputs=tuple(_input(each, items) for each in node.children("input")),
        outputs=tuple(_output(each, items, known, single=len(outputs) == 1) for each in outputs),
        rules=tuple(
            _rule(each, f"{decision}, rule {number}") for number, each in enumerate(node.children("rule"), 1)
        ),
        hit_policy=_choose(node, "hitPolicy", HitPolicy) or HitPolicy.UNIQUE,
        aggregation=_choose(node, "aggregation", Aggregation),
        annotations=tuple(each.attribute("name") for each in node.children("annotation")),
    )


def check_language(node: Node) -> None:
    """Refuse an expression in another language than FEEL."""
    language = node.attribute("expressionLanguage")
    if language and not (language.startswith(_FEEL) and "FEEL" in language):
        raise node.refusal(f"the expression language {language!r} is not supported")


def read_entry(node: Node) -> str:
    """Return the text of an expression or of unary tests."""
    check_language(node)
    node.only("text")
    return node.text()


def _choose(node: Node, attribute: str, choices: type[_E]) -> _E | None:
    found = node.attribute(attribute)
    known = {str(each.value): each for each in choices}
    if found and found not in known:
        raise node.refusal(f"{found!r} is no {attribute}: {', '.join(known)}")
    return known.get(found)


def _input(node: Node, items: Items) -> Input:
    node.only("inputExpression", "inputValues")
    expression, values = node.child("inputExpression"), node.child("inputValues")
    if expression is None:
        raise node.refusal("has no inputExpression")
    item = items.resolve(expression, expression.attribute("typeRef"))
    if item.is_list or item.fields:
        raise expression.refusal("a list or structure is no value of S-FEEL")
    allowed = read_entry(values) if values else item.allowed
    return Input(read_entry(expression), item.type, allowed, node.attribute("label"))


def _output(node: Node, items: Items, table: Item, *, single: bool) -> Output:
    node.only("outputValues", "defaultOutputEntry")
    name, reference = node.attribute("name"), node.attribute("typeRef")
    inherited = table.field(name) if table.fields else table if single else Item()
    item = items.resolve(node, reference) if reference else inherited
    values, default = node.child("outputValues"), node.child("defaultOutputEntry")
    return Output(
        name,
        item.type,
        read_entry(values) if values else item.allowed or inherited.allowed,
        read_entry(default) if default else "",
    )


def _read_cell(node: Node) -> str:
    """Return a cell's text; an empty one is how editors write that everything fits, which is said from here on."""
    return read_entry(node) or ("-" if node.children("text") else "")


def _rule(node: Node, otherwise: str) -> Rule:
    node.only("inputEntry", "outputEntry", "annotationEntry")
    return Rule(
        id=node.attribute("id") or otherwise,
        tests=tuple(_read_cell(each) for each in node.children("inputEntry")),
        outputs=tuple(read_entry(each) for each in node.children("outputEntry")),
        annotations=tuple(each.text() for each in node.children("annotationEntry")),
    )
