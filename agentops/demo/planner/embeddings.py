"""Requests for vectors, as the planner reads and answers them: nothing is remembered between two of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agentops.demo.planner.conversation import InvalidRequest, JsonObject
from agentops.demo.planner.usage import estimate_tokens
from agentops.demo.planner.vectors import embed

MOST_TEXTS = 2_048


@dataclass(frozen=True)
class Asked:
    """A validated request: its model and its texts."""

    model: str
    texts: list[str]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of model and texts: equal for a repeated request, by which faults are counted."""
        return hashlib.sha256(json.dumps([self.model, self.texts]).encode()).hexdigest()


def read_embedding(document: Any) -> Asked:  # Any: JSON
    """Return the request in a body; raises InvalidRequest with the parameter at fault."""
    if not isinstance(document, dict):
        raise InvalidRequest("", "the body is not an object")
    model, given = document.get("model"), document.get("input")
    if not isinstance(model, str) or not model:
        raise InvalidRequest("model", "a model is a text")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not 0 < len(texts) <= MOST_TEXTS:
        raise InvalidRequest("input", f"1 to {MOST_TEXTS} texts, or one text")
    if not all(isinstance(text, str) and text for text in texts):
        raise InvalidRequest("input", "a text has a character at least")
    if document.get("encoding_format", "float") != "float":
        raise InvalidRequest("encoding_format", "numbers are sent as they are: float")
    return Asked(model, texts)


def build_embedding(asked: Asked) -> JsonObject:
    """Return the answer: a vector for each text, in order, and what that took."""
    listed = [
        {"object": "embedding", "index": index, "embedding": embed(text)}
        for index, text in enumerate(asked.texts)
    ]
    tokens = sum(estimate_tokens(len(text)) for text in asked.texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": asked.model, "data": listed, "usage": usage}
