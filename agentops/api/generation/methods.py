"""The document's operations as methods, once to be awaited and once blocking."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from agentops.api.generation.types import Json, docstring, is_typed_dict, type_of

HEAD = '''"""A method for each operation of the API. Written from docs/openapi.yaml by ``write_openapi``: do not edit.

A write takes an ``idempotency_key``; without one each call makes a key of its own, under which it is tried again.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, Unpack  # Any: JSON that the platform does not look into

from agentops.client import types as t
from agentops.client.calls import Call, new_key
'''
CLASS = '''

class {name}(Protocol):
    """All operations{how}."""

    {define} _answer(self, call: Call) -> Any: ...
'''
# What the client sends by itself, or offers by a method of its own.
OWN_HEADERS = ("Idempotency-Key", "Last-Event-ID")
METHODS = ("get", "post", "put", "patch", "delete")


def write_operations(document: Json) -> str:
    """Return the module with a class whose methods are awaited, and one whose methods block."""
    halves = (("AsyncOperations", ", to be awaited", "async def"), ("Operations", "", "def"))
    return HEAD + "".join(
        CLASS.format(name=name, how=how, define=define)
        + "".join(_method(*each, define, document) for each in _operations(document))
        for name, how, define in halves
    )


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for verb in METHODS:
            if verb in item:
                yield path, verb, item[verb]


def _method(path: str, verb: str, operation: Json, define: str, document: Json) -> str:
    """Return the method: the path's parameters by position, the rest by name, the body's members among them."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation["operationId"]).lower()
    signature = ",\n        ".join(
        ["self", *_parameters(operation, has_members=_has_members(operation, document))]
    )
    call = ", ".join([json.dumps(verb.upper()), _address(path), *_sent(operation)])
    awaited = "await " if define.startswith("async") else ""
    answer = _answer(operation)
    return (
        f"\n    {define} {name}(\n        {signature},\n    ) -> {answer}:\n"
        + docstring(operation.get("description") or operation["summary"], "        ")
        + f"        answer: {answer} = {awaited}self._answer(Call({call}))\n        return answer\n"
    )


def _parameters(operation: Json, *, has_members: bool) -> Iterator[str]:
    """Yield the parameters; the members of a body by name, and one that is one of several things as a whole."""
    given = operation.get("parameters", ())
    in_path = [each for each in given if each["in"] == "path"]
    yield from (f"{each['name']}: {type_of(each['schema'])}" for each in in_path)
    body = _body(operation)
    if body and not has_members:
        yield f"body: {body}"
    if in_path or (body and not has_members):
        yield "/"
    named = [each for each in given if each["in"] == "query"]
    headers = _headers(operation)
    takes_key = any(each["name"] == "Idempotency-Key" for each in given)
    if named or headers or takes_key:
        yield "*"
    yield from (f"{each['name']}: {type_of(each['schema'])} | None = None" for each in named)
    yield from (f"{each}: str | None = None" for each in headers)
    if takes_key:
        yield "idempotency_key: str | None = None"
    if body and has_members:
        yield f"**body: Unpack[{body}]"


def _sent(operation: Json) -> Iterator[str]:
    given = operation.get("parameters", ())
    query = ", ".join(f'"{each["name"]}": {each["name"]}' for each in given if each["in"] == "query")
    headers = ", ".join(f'"{each}": {each}' for each in _headers(operation))
    if query:
        yield f"query={{{query}}}"
    if headers:
        yield f"headers={{{headers}}}"
    if any(each["name"] == "Idempotency-Key" for each in given):
        yield "key=idempotency_key or new_key()"
    if _body(operation):
        yield "body=body"


def _headers(operation: Json) -> list[str]:
    given = operation.get("parameters", ())
    return [each["name"] for each in given if each["in"] == "header" and each["name"] not in OWN_HEADERS]


def _address(path: str) -> str:
    values = re.findall(r"{(\w+)}", path)
    return f'Call.path("{path}", {", ".join(values)})' if values else json.dumps(path)


def _body(operation: Json) -> str:
    schema = _schema_of_body(operation)
    return f"t.{type_of(schema)}" if schema else ""


def _schema_of_body(operation: Json) -> Json:
    schema: Json = (
        operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    )
    return schema


def _has_members(operation: Json, document: Json) -> bool:
    """Whether a body is one TypedDict, whose members can be given by name."""
    schema = _schema_of_body(operation)
    return bool(schema) and is_typed_dict(document["components"]["schemas"][type_of(schema)])


def _answer(operation: Json) -> str:
    contents = [
        answer.get("content", {}) for status, answer in operation["responses"].items() if status < "3"
    ]
    schemas = [content["application/json"]["schema"] for content in contents if "application/json" in content]
    return " | ".join(dict.fromkeys(f"t.{type_of(schema)}" for schema in schemas)) or "None"
