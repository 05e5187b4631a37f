"""The operations of a document, each as a tool would take it over: narrow, complete in itself, with its faults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from agentops.canonical import plain_digest
from tools.adapters.mcp.definitions import ONLY_FOR_PEOPLE
from tools.openapi.answers import read_answers
from tools.openapi.bodies import read_body
from tools.openapi.document import server_of
from tools.openapi.naming import name_tool
from tools.openapi.parameters import Arguments, read_parameters
from tools.openapi.references import Node, References, Unusable
from tools.openapi.schemas import SchemaReader
from tools.openapi.security import read_security
from tools.schema_circles import find_circle

METHODS = ("get", "head", "post", "put", "patch", "delete")
NOT_SENT = ("options", "trace")
MOST_OPERATIONS = 1_000
LONGEST_NAME = 128
LONGEST_DESCRIPTION = 4_000
EFFECT = "x-agentops-effect"

IN_A_PATH = "/%:@!$&'()*+,;=~"
_PLACEHOLDER = re.compile(r"\{([^{}/]*)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """What a document says about one operation; ``name`` is its method and path. With faults it says nothing else."""

    name: str
    values: Node
    faults: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Name this very description; empty for one that cannot be used."""
        told = {name: value for name, value in self.values.items() if name not in ONLY_FOR_PEOPLE}
        return "" if self.faults else plain_digest(told)


def list_operations(document: Node, found_at: str = "") -> list[Operation]:
    """Return the operations of a document; raises Unusable for more than are listed."""
    operations: list[Operation] = []
    for path, method, item in _walk(document):
        if len(operations) == MOST_OPERATIONS:
            raise Unusable(f"it has more than {MOST_OPERATIONS} operations")
        operations.append(_read(document, path, method, item, found_at))
    return operations


def _walk(document: Node) -> Iterator[tuple[str, str, object]]:
    for path, item in document.get("paths", {}).items():
        if path.startswith("x-"):
            continue
        try:
            resolved = References(document).resolve(item, "a path")
        except Unusable:
            yield path, "get", item
            continue
        yield from ((path, method, resolved) for method in (*METHODS, *NOT_SENT) if method in resolved)


def _read(document: Node, path: str, method: str, item: object, found_at: str) -> Operation:
    name = f"{method.upper()} {path}"
    try:
        _check_name(name, path, method)
        path_item = References(document).resolve(item, "its path")
        operation = References(document).resolve(path_item.get(method), "the operation")
        return Operation(name, _describe(document, path, method.upper(), path_item, operation, found_at))
    except Unusable as problem:
        return Operation(name, {"name": name}, [str(problem)[:300]])


def _check_name(name: str, path: str, method: str) -> None:
    if method in NOT_SENT:
        raise Unusable(f"{method.upper()} is not sent")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise Unusable(
            f"its method and path are longer than {LONGEST_NAME} characters, or hold what cannot be seen"
        )
    if not path.startswith("/") or re.search(r"[?#]", path):
        raise Unusable("its path does not begin with a slash, or has a query in it")


def _describe(
    document: Node, path: str, method: str, path_item: Node, operation: Node, found_at: str
) -> Node:
    references, arguments = References(document), Arguments()
    is_3_0 = document["openapi"].startswith("3.0.")
    reader = SchemaReader(references, "request", is_3_0=is_3_0)
    placeholders = read_parameters(references, path_item, operation, reader, arguments)
    filled = _fill_path(path, placeholders)
    body = read_body(references, operation, method, reader, arguments)
    answers = SchemaReader(references, "answer", is_3_0=is_3_0)
    output, empty = read_answers(references, operation, method, answers, arguments.notes)
    request = {"method": method, "path": filled, **body, "arguments": arguments.places}
    return {
        "name": f"{method} {path}",
        "description": _describe_in_words(operation, method, path, arguments.notes),
        "input_schema": _input_schema(arguments, reader),
        "output_schema": output,
        "annotations": _annotate(operation, method, arguments.notes),
        "request": request | ({"empty_statuses": empty} if empty else {}),
        "security": read_security(references, document, operation),
        "servers": _find_servers(document, path_item, operation, found_at),
        "idempotency": "honours_key" if arguments.takes_key else "none",
        "notes": arguments.notes,
        "proposed": {
            "name": name_tool(operation.get("operationId"), method, path),
            "effect": "read" if method in ("GET", "HEAD") else "irreversible",
        },
    }


def _input_schema(arguments: Arguments, reader: SchemaReader) -> Node:
    made: Node = {"type": "object", "properties": arguments.schemas, "additionalProperties": False}
    if arguments.required:
        made["required"] = arguments.required
    whole = made | ({"$defs": reader.definitions} if reader.definitions else {})
    if find_circle(whole):
        raise Unusable("one of its schemas refers to itself and says nothing else")
    return whole


def _fill_path(path: str, placeholders: dict[str, str]) -> str:
    """Return the path with its placeholders by argument; raises Unusable unless each is declared, and once."""
    named = _PLACEHOLDER.findall(path)
    if missing := sorted(set(named) - placeholders.keys()):
        raise Unusable(f"its path has {missing[0]!r} in it, which no parameter declares")
    if unused := sorted(placeholders.keys() - set(named)):
        raise Unusable(f"its parameter {unused[0]!r} is said to be in the path, and is not")
    if len(set(named)) < len(named):
        raise Unusable("its path names one parameter twice")
    parts = _PLACEHOLDER.split(path)
    return "".join(
        f"{{{placeholders[part]}}}" if i % 2 else quote(part, safe=IN_A_PATH) for i, part in enumerate(parts)
    )


def _describe_in_words(operation: Node, method: str, path: str, notes: list[str]) -> str:
    told = [operation.get(name) for name in ("summary", "description")]
    words = [text.strip() for text in told if isinstance(text, str) and text.strip()]
    if len(words) == 2 and words[1].startswith(words[0].rstrip(".")):
        del words[0]
    whole = "\n\n".join(words)
    if len(whole) <= LONGEST_DESCRIPTION:
        return whole or f"{method} {path}"
    notes.append(f"Its description is longer than {LONGEST_DESCRIPTION} characters: write a shorter one.")
    return words[0] if len(words[0]) <= LONGEST_DESCRIPTION else f"{method} {path}"


def _annotate(operation: Node, method: str, notes: list[str]) -> dict[str, Any]:
    """Return what the operation says to its own disadvantage, in the words of MCP; nothing makes it milder."""
    told = operation.get(EFFECT)
    annotations: dict[str, Any] = {}
    if method in ("PUT", "PATCH", "DELETE") or told in ("reversible", "irreversible"):
        annotations["readOnlyHint"] = False
    if told == "irreversible":
        annotations["destructiveHint"] = True
    if operation.get("deprecated") is True:
        annotations["deprecated"] = True
        notes.append("It is deprecated: whoever runs it means to take it away.")
    return annotations


def _find_servers(document: Node, path_item: Node, operation: Node, found_at: str) -> list[str]:
    """Return where the document says that this operation is; the operation's own word counts before its path's."""
    for place in (operation, path_item, document):
        if isinstance(place.get("servers"), list) and place["servers"]:
            return server_of(place, found_at)[:10]
    return []
