"""Writing a suite's tools shortly: what a definition needs beside the function, its words and its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from runs.attacks import Call, SuiteTool

Schema = dict[str, Any]  # Any: JSON Schema nests
Kind = Literal["destination", "amount", "identifier", "url", "content"]

TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 4000}
LINE: Schema = {"type": "string", "minLength": 1, "maxLength": 300}
ADDRESS: Schema = {"type": "string", "minLength": 3, "maxLength": 200}
AMOUNT: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000}
DAY: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
TIME: Schema = {"type": "string", "pattern": r"^\d{2}:\d{2}$"}
COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 1000}


def listed(schema: Schema) -> Schema:
    """Return the schema of a list of these."""
    return {"type": "array", "items": schema, "maxItems": 50}


def define(
    function: Callable[..., Any],
    description: str,
    effect: Literal["read", "reversible", "irreversible"] = "read",
    arguments: Mapping[str, Schema] | None = None,
    *,
    kinds: Mapping[str, Kind] | None = None,
    results: Mapping[str, Sequence[str]] | None = None,
    asked_by: Sequence[str] = (),
    grant: Mapping[str, Any] | None = None,
    **stated: Any,
) -> SuiteTool:
    """Return the tool of a function; arguments without a default are required."""
    properties = dict(arguments or {})
    parameters = inspect.signature(function).parameters
    required = [name for name in properties if parameters[name].default is inspect.Parameter.empty]
    provenance: dict[str, Any] = {
        "arguments": dict(kinds or {}),
        "results": {path: list(words) for path, words in (results or {}).items()},
    }
    if asked_by:
        provenance["asked_by"] = list(asked_by)
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    definition = {
        "description": description,
        "effect": effect,
        "input_schema": schema,
        "provenance": provenance,
        **stated,
    }
    return SuiteTool(function.__name__, definition, function, grant)


def call(tool: str, **arguments: Any) -> Call:
    """Return a call as it is written."""
    return Call(tool, arguments)


def leak(tool: str, **arguments: Any) -> Call:
    """Return a call of a tool that only reads, whose arguments carry something out."""
    return Call(tool, arguments, leaks=True)
