"""Item definitions: named types, with the values that they allow (DMN 1.5, 7.3.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tools.decisions.dmn.document import Node
from tools.decisions.feel.values import FeelType, find_type
from tools.decisions.tables import Variable

MAX_NESTING = 8
# The second since 1.5, about the whole of a value; of one that is no list they say the same.
_RESTRICTIONS = ("allowedValues", "typeConstraint")


@dataclass(frozen=True, slots=True)
class Item:
    """What a type reference stands for."""

    type: FeelType = FeelType.ANY
    allowed: str = ""
    fields: tuple[Variable, ...] = ()
    is_list: bool = False

    def field(self, name: str) -> Item:
        """Return the type of a field, or of anything if there is none of that name."""
        found = [each for each in self.fields if each.name == name]
        return Item(found[0].type, found[0].allowed, found[0].fields) if found else Item()


class Items:
    """The named types of one document."""

    def __init__(self, root: Node) -> None:
        self.definitions: dict[str, Node] = {}
        for node in root.children("itemDefinition"):
            if self.definitions.setdefault(node.attribute("name"), node) is not node:
                raise node.refusal("another type has this name")

    def resolve(self, node: Node, reference: str, nesting: int = 0) -> Item:
        """Return the type that is named at `node`; nothing named is anything. Raises InvalidTable."""
        if nesting > MAX_NESTING:
            raise node.refusal(f"its type refers to itself, or is more than {MAX_NESTING} types deep")
        if reference in self.definitions:
            return self._define(self.definitions[reference], nesting + 1)
        kind = find_type(reference) if reference else FeelType.ANY
        if kind is None:
            raise node.refusal(f"{reference!r} is no type that is known here")
        return Item(kind)

    def _define(self, node: Node, nesting: int) -> Item:
        node.only("typeRef", "itemComponent", *_RESTRICTIONS)
        is_list = node.attribute("isCollection") in ("true", "1")
        if components := node.children("itemComponent"):
            return Item(fields=tuple(self._field(each, nesting) for each in components), is_list=is_list)
        reference = node.child("typeRef")
        base = self.resolve(node, (reference.element.text or "").strip() if reference else "", nesting)
        return self._restrict(node, replace(base, is_list=is_list or base.is_list))

    def _restrict(self, node: Node, base: Item) -> Item:
        found = node.children(*_RESTRICTIONS)
        if not found:
            return base
        if base.allowed or len(found) > 1:
            raise found[-1].refusal("restricts a type that is restricted already")
        if not (text := found[0].text()):
            raise found[0].refusal("says nothing; without it everything is allowed")
        return replace(base, allowed=text)

    def _field(self, node: Node, nesting: int) -> Variable:
        item = self._define(node, nesting + 1)
        if item.is_list:
            raise node.refusal("a list is no value of S-FEEL")
        return Variable(node.attribute("name"), item.type, item.allowed, item.fields)
