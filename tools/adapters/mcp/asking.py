"""Questions of a server in the middle of a call: answered by what the call has brought for them, round by round."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    InputResponses,
)

from tools.adapters.mcp.forms import JsonObject

MOST_ROUNDS = 5  # of one call; a server that asks for ever has asked for too much


def respond(result: InputRequiredResult, answers: JsonObject) -> InputResponses | None:
    """Return what is answered to a server's questions, None while there is one that nobody has answered."""
    asked = result.input_requests or {}
    if not all(name in answers and _is_form(request) for name, request in asked.items()):
        return None
    return {name: ElicitResult(action="accept", content=answers[name]) for name in asked}


def find_open(asks: Mapping[str, JsonObject], result: InputRequiredResult, answers: JsonObject) -> list[str]:
    """Return the names of the declared forms that are open; empty where a server asks for anything else as well."""
    asked = result.input_requests or {}
    if not all(name in asks and _is_form(request) for name, request in asked.items()):
        return []
    return [name for name in asked if name not in answers]


def _is_form(request: object) -> bool:
    return isinstance(request, ElicitRequest) and isinstance(request.params, ElicitRequestFormParams)
