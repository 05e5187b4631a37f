"""What the planner is asked, and how it is written as a Chat Completions request."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentops.plain_json import dump_plain
from agentops.tracing import is_tracestate
from runs.planner.calls import is_tool_name

# A chat message as the wire has it. Its values are open JSON, hence Any.
Message = dict[str, Any]

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """One tool as the model sees it; `input_schema` is a JSON Schema of type object.

    Raises ValueError for a name that providers refuse: 1 to 64 characters of A-Z a-z 0-9 _ - are allowed.
    """

    name: str
    description: str
    input_schema: dict[str, Any]

    def __post_init__(self) -> None:
        if not is_tool_name(self.name):
            raise ValueError(f"not a tool name: {self.name!r}")


@dataclass(frozen=True, slots=True)
class PlannerRequest:
    """One question to a planner.

    `timeout_s` bounds the whole exchange in seconds, connecting included. `traceparent` and the
    `tracestate` that goes with it are W3C Trace Context headers, or empty for none. `temperature` None
    leaves the model's default.
    Raises ValueError for values that no provider could take.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...]
    max_completion_tokens: int
    timeout_s: float
    traceparent: str
    temperature: float | None
    tracestate: str = ""

    def __post_init__(self) -> None:
        if not self.model or not self.messages:
            raise ValueError("a planner request needs a model and at least one message")
        if self.max_completion_tokens < 1:
            raise ValueError("max_completion_tokens must be at least 1")
        if not self.timeout_s > 0:
            raise ValueError("timeout_s must be positive")
        if self.traceparent and not _TRACEPARENT.fullmatch(self.traceparent):
            raise ValueError("traceparent is not a W3C Trace Context header")
        if self.tracestate and not (self.traceparent and is_tracestate(self.tracestate)):
            raise ValueError("tracestate is not a W3C Trace Context header, or goes without traceparent")

    @property
    def trace(self) -> dict[str, str]:
        """Return the headers of the Trace Context."""
        headers = {"traceparent": self.traceparent, "tracestate": self.tracestate}
        return {name: value for name, value in headers.items() if value}


def encode_request(request: PlannerRequest) -> bytes:
    """Write the request as the JSON body of POST /chat/completions.

    Raises ValueError or TypeError for what JSON or UTF-8 cannot carry (NaN, a lone surrogate).
    """
    body: dict[str, Any] = {
        "model": request.model,
        "messages": request.messages,
        "max_completion_tokens": request.max_completion_tokens,
    }
    if request.tools:
        body["tools"] = render_tools(request.tools)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    return encode_json(body)


def render_tools(tools: Sequence[ToolSchema]) -> list[dict[str, Any]]:
    """Return the tools as Chat Completions function tools."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.input_schema},
        }
        for tool in tools
    ]


def encode_json(value: object) -> bytes:
    """Write `value` as compact UTF-8 JSON; ValueError or TypeError for what JSON cannot carry."""
    plain = dump_plain(value)
    return _COMPACT.encode(value).encode() if plain is None else plain
