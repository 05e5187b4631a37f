"""OpenAPI's schemas as JSON Schema 2020-12, complete in themselves.

References are written out, but for what refers to itself: that goes under ``$defs``. What is only read has no place in
a request, what is only written none in an answer. OpenAPI 3.0 is a dialect of its own (``nullable``, exclusive bounds
as booleans); annotations that check nothing are left out.
"""

from __future__ import annotations

import re
from typing import Literal

from tools.openapi.merging import merge_parts, select_branch
from tools.openapi.references import Node, References, Unusable
from tools.schemas import ANNOTATIONS

MOST_NODES = 4_000
DEEPEST = 40

Side = Literal["request", "answer"]

PLAIN = frozenset(
    {
        "type", "enum", "const", "multipleOf", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum",
        "maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains",
        "maxProperties", "minProperties", "required", "dependentRequired", "title", "description", "default",
        "deprecated", "format",
    }
)  # fmt: skip
ONE = frozenset(
    {
        "items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else", "unevaluatedItems",
        "unevaluatedProperties",
    }
)  # fmt: skip
NAMED = frozenset({"properties", "patternProperties", "dependentSchemas"})
SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
FORMATS = frozenset(ANNOTATIONS) | {
    "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri",
    "uri-reference", "iri", "iri-reference", "uuid",
}  # fmt: skip  # others say something to their authors, and ours of the same name something else
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


class SchemaReader:
    """Reads the schemas of one operation for one side of it; `is_3_0` is the document's dialect."""

    def __init__(self, references: References, side: Side, *, is_3_0: bool) -> None:
        self._references, self._side, self._is_3_0 = references, side, is_3_0
        self._left = MOST_NODES
        self._names: dict[str, str] = {}  # of what refers to itself
        self.definitions: dict[str, Node] = {}

    def read(self, node: object) -> Node:
        """Return a schema without its definitions, which gather in ``definitions``; raises Unusable."""
        made = self._read(node, (), 0)
        while missing := [ref for ref, name in self._names.items() if name not in self.definitions]:
            for reference in missing:
                self.definitions[self._names[reference]] = self._read(
                    self._references.look_up(reference), (reference,), 0
                )
        return made

    def _read(self, node: object, within: tuple[str, ...], depth: int) -> Node:
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            raise Unusable(f"its schemas come to more than {MOST_NODES} parts, or {DEEPEST} levels")
        if isinstance(node, bool):
            return {} if node else {"not": {}}
        if not isinstance(node, dict):
            raise Unusable("a schema is no object")
        if "$dynamicRef" in node or "$recursiveRef" in node:
            raise Unusable("a schema uses dynamic references, which are not followed")
        if "$ref" in node:
            return self._follow(node, within, depth)
        return self._convert(node, within, depth)

    def _follow(self, node: Node, within: tuple[str, ...], depth: int) -> Node:
        reference = node["$ref"]
        if reference in within:
            made: Node = {"$ref": f"#/$defs/{self._name(reference)}"}
        else:
            target = self._references.look_up(reference)
            made = self._read(target, (*within, reference), depth + 1)
        beside = {} if self._is_3_0 else {name: part for name, part in node.items() if name != "$ref"}
        others = self._convert(beside, within, depth) if beside else {}
        return merge_parts([made], others) if others else made

    def _name(self, reference: str) -> str:
        if reference not in self._names:
            base = _NOT_IN_NAMES.sub("_", reference.rpartition("/")[2])[:40] or "Schema"
            taken = set(self._names.values())
            self._names[reference] = base if base not in taken else f"{base}_{len(taken)}"
        return self._names[reference]

    def _convert(self, node: Node, within: tuple[str, ...], depth: int) -> Node:
        _check_words(node)
        made: Node = {name: part for name, part in node.items() if name in PLAIN}
        for name in sorted(node.keys() & ONE):
            part = node[name]
            is_flag = isinstance(part, bool) and name in ("additionalProperties", "unevaluatedProperties")
            made[name] = part if is_flag else self._read(part, within, depth + 1)
        for name in sorted(node.keys() & NAMED):
            made[name] = self._read_named(node, name, within, depth)
        for name in sorted(node.keys() & SEVERAL):
            made[name] = self._read_several(node, name, within, depth)
        self._leave_out(node, made)
        self._put_right(node, made)
        return merge_parts(made.pop("allOf"), made) if "allOf" in made else made

    def _read_named(self, node: Node, name: str, within: tuple[str, ...], depth: int) -> Node:
        if not isinstance(node[name], dict):
            raise Unusable(f"{name} of a schema is no object")
        hidden = self._hidden(node) if name == "properties" else set()
        return {
            key: self._read(part, within, depth + 1) for key, part in node[name].items() if key not in hidden
        }

    def _read_several(self, node: Node, name: str, within: tuple[str, ...], depth: int) -> list[Node]:
        if not isinstance(node[name], list) or not node[name]:
            raise Unusable(f"{name} of a schema is no list")
        made = [self._read(part, within, depth + 1) for part in node[name]]
        if name == "allOf" or "discriminator" not in node:
            return made
        return [
            select_branch(node["discriminator"], raw, part)
            for raw, part in zip(node[name], made, strict=True)
        ]

    def _hidden(self, node: Node) -> set[str]:
        """Return the properties that this side has no place for."""
        mark = "readOnly" if self._side == "request" else "writeOnly"
        properties = node.get("properties")
        return {
            name for name, part in properties.items() if self._is_marked(part, mark)
        } if isinstance(properties, dict) else set()  # fmt: skip

    def _is_marked(self, part: object, mark: str) -> bool:
        if not isinstance(part, dict):
            return False
        if part.get(mark) is True:
            return True
        try:
            return "$ref" in part and self._references.resolve(part, "a property").get(mark) is True
        except Unusable:
            return False  # which is said where it is read

    def _leave_out(self, node: Node, made: Node) -> None:
        hidden = self._hidden(node)
        if isinstance(made.get("required"), list):
            made["required"] = [name for name in made["required"] if name not in hidden]
            if not made["required"]:
                del made["required"]
        if hidden and self._side == "request" and made.get("additionalProperties") is not False:
            free = {"not": {"enum": sorted(hidden)}}  # or it would get in as what is not known
            names = made.get("propertyNames")
            made["propertyNames"] = {"allOf": [names, free]} if names else free

    def _put_right(self, node: Node, made: Node) -> None:
        if not isinstance(made.get("format"), str) or made["format"] not in FORMATS:
            made.pop("format", None)
        if not self._is_3_0:
            return
        for mark, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if isinstance(made.get(mark), bool) and made.pop(mark) and bound in made:
                made[mark] = made.pop(bound)
        if node.get("nullable") is True:
            self._allow_null(made)

    def _allow_null(self, made: Node) -> None:
        """Let null through: in a request only where the document surely does, in an answer wherever it may mean to."""
        if isinstance(made.get("type"), str):
            made["type"] = [made["type"], "null"]
        if self._side == "answer" and isinstance(made.get("enum"), list) and None not in made["enum"]:
            made["enum"] = [*made["enum"], None]
        if self._side == "answer" and "type" not in made:
            inner = dict(made)
            made.clear()
            made["anyOf"] = [
                merge_parts(inner.pop("allOf"), inner) if "allOf" in inner else inner,
                {"type": "null"},
            ]


def _check_words(node: Node) -> None:
    """Raise Unusable for words of a kind that nothing here could go by."""
    for name, kind in (("enum", list), ("description", str), ("title", str)):
        if name in node and not isinstance(node[name], kind):
            raise Unusable(f"{name} of a schema is something else than it can be")
    for name in ("type", "required"):
        told = node.get(name, [])
        listed = told if isinstance(told, list) else [told] if name == "type" else [None]
        if not all(isinstance(part, str) for part in listed):
            raise Unusable(f"{name} of a schema is something else than it can be")
