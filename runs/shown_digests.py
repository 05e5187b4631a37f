"""What a planner was sent, as keyed digests: so that a replay can tell whether it would be sent the same today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentops.canonical import keyed_digest
from agentops.errors import ValidationFailed
from runs.planner.messages import Message, ToolSchema


def digest_messages(messages: Sequence[Message]) -> str:
    """Return the digest of messages; of what JSON cannot carry exactly there is none."""
    return _digest(list(messages))


def digest_prompt(rules: Message, parts: Sequence[str]) -> str:
    """Return the digest of a prompt: of the system message, and of the digests of what follows, step by step.

    A step is digested once, when it is arranged: a prompt of many steps takes no longer than one of few.
    """
    return _digest([digest_messages((rules,)), *parts])


def digest_offer(schemas: Sequence[ToolSchema]) -> str:
    """Return the digest of the functions that are offered, in their order."""
    return _digest([[each.name, each.description, each.input_schema] for each in schemas])


def _digest(value: Any) -> str:  # Any: JSON
    try:
        return keyed_digest(value)
    except ValidationFailed:  # a number beyond 2^53 in a schema: it is asked about all the same
        return ""
