"""What an operation promises to answer."""

from __future__ import annotations

import json
import re

from tools.openapi.references import Node, References, Unusable
from tools.openapi.schemas import SchemaReader
from tools.schemas import check_schema

_JSON_TYPE = re.compile(r"application/(?:[A-Za-z0-9.-]{1,64}\+)?json")


def read_answers(
    references: References, operation: Node, method: str, reader: SchemaReader, notes: list[str]
) -> tuple[Node | None, list[int]]:
    """Return the schema of what succeeds, and the statuses that come without a body.

    Raises Unusable for answers that are no JSON. What is no usable schema is left out with a note: the answer is taken
    as it comes then.
    """
    responses = operation.get("responses")
    if not isinstance(responses, dict):
        return None, []
    schemas: list[Node] = []
    empty: list[int] = []
    is_open = False
    for status in sorted(str(name) for name in responses):
        if not re.fullmatch(r"2\d\d|2XX", status):
            continue
        response = references.resolve(responses[status], f"its answer {status}")
        found, is_empty = _read_content(references, response, status)
        if is_empty or method == "HEAD":
            schemas.append({"type": "null"})
            empty += [int(status)] if status.isdigit() else []
        elif found is None:
            is_open = True
        else:
            schemas += _read_schema(found, reader, notes)
            is_open = is_open or not schemas
    return (None if is_open else _combine(schemas, reader, notes)), empty


def _read_content(references: References, response: Node, status: str) -> tuple[object, bool]:
    """Return the schema of an answer, None for one of any shape, and whether it has no body."""
    content = response.get("content")
    if not isinstance(content, dict) or not content:
        return None, True
    for kind, media in content.items():
        plain = str(kind).partition(";")[0].strip().lower()
        if _JSON_TYPE.fullmatch(plain) or plain in ("*/*", "application/*"):
            return references.resolve(media, f"its answer {status}").get("schema"), False
    raise Unusable(f"its answer {status} is {str(next(iter(content)))[:60]}, which is no JSON")


def _read_schema(found: object, reader: SchemaReader, notes: list[str]) -> list[Node]:
    try:
        return [reader.read(found)]
    except Unusable as problem:
        notes.append(f"What it answers is not checked: {problem}.")
        return []


def _combine(schemas: list[Node], reader: SchemaReader, notes: list[str]) -> Node | None:
    """Return one schema for all of them, complete in itself; None where there is none that can be used."""
    unique = list({json.dumps(schema, sort_keys=True): schema for schema in schemas}.values())
    if not unique:
        return None
    root = unique[0] if len(unique) == 1 else {"anyOf": unique}
    whole = {**root, **({"$defs": reader.definitions} if reader.definitions else {})}
    if problems := check_schema(whole, object_root=False):
        notes.append(f"What it answers is not checked: its schema {problems[0].path} {problems[0].message}.")
        return None
    return whole
