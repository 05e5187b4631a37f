"""References within a document (RFC 6901 pointers): followed where they are local, refused where they are not."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

LONGEST_CHAIN = 20

Node = dict[str, Any]  # Any: JSON


class Unusable(ValueError):
    """Something of a document that cannot be used; the message says why, in words for people."""


class References:
    """The document that references lead into."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def look_up(self, reference: object) -> Any:  # Any: whatever stands there
        """Return what a reference leads to; raises Unusable for one that leads out of the document, or nowhere."""
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise Unusable(f"{str(reference)[:100]!r} leads out of the document: put what it means into it")
        node: Any = self._root
        for part in unquote(reference).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and name.isascii() and name.isdigit() and len(name) < 6:
                node = node[int(name)] if int(name) < len(node) else None
            else:
                node = node.get(name) if isinstance(node, dict) else None
            if node is None:
                raise Unusable(f"{reference[:100]!r} leads nowhere")
        return node

    def resolve(self, node: object, what: str) -> Node:
        """Return the object that a node is or refers to; raises Unusable if it is none."""
        for _ in range(LONGEST_CHAIN):
            if not isinstance(node, dict):
                raise Unusable(f"{what} is no object")
            if "$ref" not in node:
                return node
            node = self.look_up(node["$ref"])
        raise Unusable(f"{what} refers to itself, or over more than {LONGEST_CHAIN} references")
