"""XML from strangers: no DTD, no entities, no network, bounded in size and depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from tools.decisions.errors import InvalidTable, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
NAMESPACES = {
    "https://www.omg.org/spec/DMN/20191111/MODEL/": "1.3",
    "https://www.omg.org/spec/DMN/20211108/MODEL/": "1.4",
    "https://www.omg.org/spec/DMN/20230324/MODEL/": "1.5",
}
# Words about a model. They decide nothing, so leaving them out changes nothing.
REMARKS = ("description", "extensionElements")


@dataclass(frozen=True, slots=True)
class Node:
    """An element of the standard's namespace; others, extensions of some tool, are passed over."""

    element: etree._Element
    namespace: str

    @property
    def tag(self) -> str:
        """The name without its namespace."""
        return str(self.element.tag).removeprefix(f"{{{self.namespace}}}")

    def refusal(self, words: str) -> InvalidTable:
        """Return the error that names this place."""
        name = self.attribute("name") or self.attribute("id")
        named = f" {name!r}" if name else ""
        return InvalidTable([Problem(f"line {self.element.sourceline}, {self.tag}{named}", words)])

    def attribute(self, name: str) -> str:
        """Return an attribute, or an empty text."""
        return str(self.element.get(name, "")).strip()

    def children(self, *tags: str) -> list[Node]:
        """Return the children of these names."""
        return [node for node in self._all() if node.tag in tags]

    def child(self, tag: str) -> Node | None:
        """Return the only child of that name, or None."""
        found = self.children(tag)
        if len(found) > 1:
            raise found[1].refusal("is there twice")
        return found[0] if found else None

    def only(self, *tags: str) -> None:
        """Refuse children that are neither these nor remarks."""
        for node in self._all():
            if node.tag not in (*tags, *REMARKS):
                raise node.refusal("is not supported here")

    def text(self) -> str:
        """Return the content of the child ``text``; an absent one is empty."""
        node = self.child("text")
        if node is None:
            return ""
        if len(node.element):
            raise node.refusal("holds elements instead of text")
        return (node.element.text or "").strip()

    def _all(self) -> Iterator[Node]:
        prefix = f"{{{self.namespace}}}"
        for child in self.element:
            if isinstance(child.tag, str) and child.tag.startswith(prefix):
                yield Node(child, self.namespace)


def read_document(raw: bytes) -> Node:
    """Return the root of a DMN document; raises InvalidTable for anything that is none."""
    root = parse_xml(_text(raw))
    namespace = etree.QName(root).namespace or ""
    if etree.QName(root).localname != "definitions" or namespace not in NAMESPACES:
        raise _refused(f"is no DMN {', '.join(NAMESPACES.values())}: its root is {root.tag}")
    _refuse_extremes(root)
    node = Node(root, namespace)
    _refuse_repeated_ids(node)
    return node


def _text(raw: bytes) -> bytes:
    if len(raw) > MAX_BYTES:
        raise _refused(f"is larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused("is not UTF-8") from None
    # Before the parser sees it: a model needs neither a DTD nor entities, an attacker does.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _refused("has a DTD, which a model does not need")
    return text.encode()


def parse_xml(text: bytes) -> etree._Element:
    """Return the root of a text, of which nothing is expanded and for which nothing is fetched."""
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise _refused(f"is not well-formed XML: {error.msg}") from None


def _refuse_extremes(root: etree._Element) -> None:
    depth = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise _refused(f"nests more than {MAX_DEPTH} elements")


def _refuse_repeated_ids(root: Node) -> None:
    prefix = f"{{{root.namespace}}}"
    ours = (each for each in root.element.iter() if str(each.tag).startswith(prefix))
    counts = Counter(str(each.get("id")) for each in ours if each.get("id"))
    twice = sorted(identifier for identifier, count in counts.items() if count > 1)
    if twice:
        raise _refused(f"has the id {twice[0]!r} twice")


def _refused(words: str) -> InvalidTable:
    return InvalidTable([Problem("the document", words)])
