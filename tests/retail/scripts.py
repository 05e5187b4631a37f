"""Planner scripts that replay the recorded calls of a retail request: one call per turn, then an answer."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]  # Any: JSON values


def build_marker(request: JsonObject, purpose: str = "") -> str:
    """Return a text that stands in no other request's message; `purpose` tells runs of one request apart."""
    return f"[retail {request['id']}{f' {purpose}' if purpose else ''}]"


def build_message(request: JsonObject, marker: str) -> str:
    """Return the user's first message: why they write, who they are, and the marker."""
    texts = request["request"]
    return "\n".join(part for part in (texts["reason_for_call"], texts["known_info"], marker) if part)


def build_script(request: JsonObject, marker: str) -> JsonObject:
    """Return the script as PUT /scripts/{name} takes it."""
    calls = [
        {"tool_calls": [{"name": each["name"], "arguments": each["arguments"]}]}
        for each in request["actions"]
    ]
    answer = {"content": f"Everything I could do about request {request['id']} is done."}
    return {"match": {"contains": marker}, "turns": [*calls, answer]}
