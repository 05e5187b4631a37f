"""What a planner was sent, as keyed digests: so that a replay can tell whether it would be sent the same today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentops.canonical import keyed_digest
from agentops.errors import ValidationFailed
from runs.planner.messages import Message, ToolSchema


def digest_prompt(messages: Sequence[Message]) -> str:
    """Return the digest of all messages; of what JSON cannot carry exactly there is none."""
    return _digest(list(messages))


def digest_offer(schemas: Sequence[ToolSchema]) -> str:
    """Return the digest of the functions that are offered, in their order."""
    return _digest([[each.name, each.description, each.input_schema] for each in schemas])


def _digest(value: Any) -> str:  # Any: JSON
    try:
        return keyed_digest(value)
    except ValidationFailed:  # a number beyond 2^53 in a schema: it is asked about all the same
        return ""
