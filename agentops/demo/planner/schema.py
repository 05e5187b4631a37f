"""The JSON Schema of a script document (see README.md beside this file for the same in words)."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]  # Any: JSON Schema is open-ended

TOKENS: Schema = {"type": "integer", "minimum": 0, "maximum": 10_000_000}
# The server listens on loopback for demos and tests: an hour is longer than any caller waits.
SECONDS: Schema = {"type": "number", "minimum": 0, "maximum": 3600}


def closed(properties: Schema, **more: object) -> Schema:
    """Return an object schema that takes these properties and no others."""
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


MATCH = closed(
    {
        "contains": {"type": "string", "minLength": 1},
        "regex": {"type": "string", "minLength": 1},
        "model": {"type": "string", "minLength": 1},
    },
    minProperties=1,
    maxProperties=1,
)
TOOL_CALL = closed(
    {"name": {"type": "string", "minLength": 1}, "arguments": {"type": ["object", "string"]}},
    required=["name", "arguments"],
)
USAGE = closed({"prompt_tokens": TOKENS, "completion_tokens": TOKENS, "cached": TOKENS, "reasoning": TOKENS})
WHEN = closed(
    {"last_tool_error": {"type": "boolean"}, "last_tool_contains": {"type": "string", "minLength": 1}},
    minProperties=1,
)
FAULTS: Schema = {
    "status": {"type": "integer", "minimum": 400, "maximum": 599},
    "hang": {"const": True},
    "garbage": {"enum": ["json", "html"]},
    "drop": {"const": True},
    "empty": {"const": True},
}
TURN = closed(
    {
        "when": WHEN,
        "thought": {"type": "string"},
        "content": {"type": "string"},
        "refusal": {"type": "string"},
        "tool_calls": {"type": "array", "items": TOOL_CALL, "minItems": 1, "maxItems": 128},
        "usage": USAGE,
        "finish_reason": {"enum": ["stop", "length", "tool_calls", "content_filter"]},
        "delay_s": SECONDS,
        "retry_after": SECONDS,
        "times": {"type": "integer", "minimum": 1, "maximum": 1000},
        **FAULTS,
    },
    minProperties=1,
    dependentRequired={"retry_after": ["status"]},
)
SCRIPT = closed(
    {
        "about": {"type": "string"},
        "request": {"type": "string", "minLength": 1},
        "match": MATCH,
        "turns": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": {"if": {"type": "array"}, "then": {"items": TURN, "minItems": 1}, "else": TURN},
        },
    },
    required=["match", "turns"],
)
