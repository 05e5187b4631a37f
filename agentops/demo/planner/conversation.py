"""What the planner reads off a chat completion request: nothing is remembered between two of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

JsonObject = dict[str, Any]  # Any: a request body as the client sent it
EDITED = "Edited by a person"
# Words for "this call did not succeed" in a tool message's `status`.
FAILED = frozenset({"denied", "error", "expired", "failed", "refused", "unknown"})


class InvalidRequest(ValueError):
    """A request that the API would refuse, with the parameter at fault."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True)
class Conversation:
    """A validated request: its model and messages, and the completion limit if it sets one (tokens)."""

    model: str
    messages: list[JsonObject]
    may_call_tools: bool = True
    limit: int | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of model and messages: equal for a repeated request, and the source of the answer's ids."""
        return hashlib.sha256(json.dumps([self.model, self.messages], sort_keys=True).encode()).hexdigest()

    @property
    def first_user_text(self) -> str:
        """The text by which a script is chosen; empty without a user message."""
        return next((message_text(each) for each in self.messages if each["role"] == "user"), "")

    @property
    def position(self) -> int:
        """How many turns have been played: the assistant messages so far."""
        return sum(each["role"] == "assistant" for each in self.messages)

    @property
    def results(self) -> list[str]:
        """The texts of all tool messages, in order."""
        return [result_text(each) for each in self.messages if each["role"] == "tool"]

    @property
    def last_results(self) -> list[str]:
        """The texts of the tool messages that answer the last turn."""
        last_turn = max(
            (at for at, each in enumerate(self.messages) if each["role"] == "assistant"), default=-1
        )
        return [result_text(each) for each in self.messages[last_turn + 1 :] if each["role"] == "tool"]


def message_text(message: JsonObject) -> str:
    """Return a message's text, whether it is a string or a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return content if isinstance(content, str) else ""


def result_text(message: JsonObject) -> str:
    """Return what a tool message tells of the call; a line before it says where a person has edited the call."""
    note, _, result = message_text(message).partition("\n")
    return result if note.startswith(EDITED) else message_text(message)


def is_error(result: str) -> bool:
    """Say whether a tool message tells of a failure.

    That is: JSON with a non-empty `error`, a `code` or a true `is_error`, or a `status` in FAILED; or text
    that starts with "error".
    """
    try:
        value = json.loads(result)
    except ValueError:
        return result.lstrip().lower().startswith("error")
    if not isinstance(value, dict):
        return False
    failed = isinstance(value.get("status"), str) and value["status"] in FAILED
    return failed or bool(value.get("error") or value.get("code") or value.get("is_error"))


def read_conversation(body: object) -> Conversation:
    """Return the conversation in a request body; raises InvalidRequest as the real API would answer 400."""
    if not isinstance(body, dict):
        raise InvalidRequest("body", "the body must be a JSON object")
    if body.get("stream"):
        raise InvalidRequest("stream", "this server does not stream; send the request without `stream`")
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise InvalidRequest("model", "you must provide a model parameter")
    may_call_tools = body.get("tool_choice") != "none"
    return Conversation(body["model"], read_messages(body), may_call_tools, read_limit(body))


def read_messages(body: JsonObject) -> list[JsonObject]:
    """Return the messages; raises InvalidRequest unless they are a list of objects with a role."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InvalidRequest("messages", "`messages` must be a list with at least one message")
    if not all(isinstance(each, dict) and isinstance(each.get("role"), str) for each in messages):
        raise InvalidRequest("messages", "every message must be an object with a role")
    return messages


def read_limit(body: JsonObject) -> int | None:
    """Return the completion limit in tokens; the newer name goes before the older. Raises InvalidRequest."""
    for name in ("max_completion_tokens", "max_tokens"):
        limit = body.get(name)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise InvalidRequest(name, f"`{name}` must be a whole number of at least 1")
        return limit
    return None
