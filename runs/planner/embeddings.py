"""Vectors of texts from any OpenAI-compatible endpoint: one text, one exchange, one vector."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from agentops.strict_json import clean_text
from runs.planner.answers import Embedded, PlannerFailure, Usage
from runs.planner.messages import encode_json
from runs.planner.openai_chat import DEFAULT_BASE_URL, client_key
from runs.planner.usage import read_usage

MOST_NUMBERS = 16_000  # of a vector that pgvector takes
# Below this a part is nothing beside the others, and single precision has no number for it.
SMALLEST = 1e-30
# Beyond the bytes of the text: models put a few marks of their own around it.
TOKENS_AROUND = 16


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """One text for a model; `timeout_s` bounds the exchange, `trace` are its headers of the Trace Context."""

    model: str
    text: str
    timeout_s: float
    trace: dict[str, str]


def bound_tokens(text: str) -> int:
    """Return a number of tokens that no provider's count of a text exceeds: a token has a byte at least."""
    return len(text.encode()) + TOKENS_AROUND


class Embedder:
    """Ask a model for vectors over HTTP, once per `ask`. Connections are shared with planners of the same endpoint.

    Raises ValueError for bad settings.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "",
        connect_timeout_s: float = 5.0,
        proxy_url: str | None = None,
    ) -> None:
        self._key = client_key(base_url or DEFAULT_BASE_URL, api_key, proxy_url)
        self._connect_timeout_s = connect_timeout_s

    def ask(self, request: EmbeddingRequest) -> Embedded | PlannerFailure:
        """Return the vector, or what went wrong; never raises for anything a provider does."""
        from runs.planner.client import post  # loads openai

        asked = {"model": request.model, "input": request.text, "encoding_format": "float"}
        try:
            body = encode_json(asked)
        except ValueError:  # a lone surrogate; only that it is so may be told
            return PlannerFailure(
                "planner_request_invalid", "the text cannot be encoded", False, None, "none"
            )
        outcome = post(
            self._key,
            "/embeddings",
            body,
            trace=request.trace,
            connect_timeout_s=min(self._connect_timeout_s, request.timeout_s),
            total_timeout_s=request.timeout_s,
        )
        return outcome if isinstance(outcome, PlannerFailure) else read_embedding(outcome)


def read_embedding(body: bytes) -> Embedded | PlannerFailure:
    """Read the body of a 200 from POST /embeddings; `planner_invalid_answer` for what holds no usable vector."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _invalid("the body is not JSON", None)
    if not isinstance(document, dict):
        return _invalid("the body is not an object", None)
    usage = _read_usage(document.get("usage"))
    data = document.get("data")
    only = data[0] if isinstance(data, list) and len(data) == 1 else None
    vector = _read_vector(only.get("embedding") if isinstance(only, dict) else None)
    if vector is None:
        return _invalid("there is no vector of numbers in it", usage)
    model = document.get("model")
    return Embedded(vector, usage, clean_text(model)[:128] if isinstance(model, str) else "")


def _read_usage(reported: object) -> Usage | None:
    """Nothing is generated, and most providers say nothing of it."""
    return read_usage({"completion_tokens": 0, **reported}) if isinstance(reported, dict) else None


def _read_vector(listed: Any) -> tuple[float, ...] | None:  # Any: JSON
    """Return it at length one, so that none counts for more by its size; None for what has no direction."""
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_NUMBERS:
        return None
    if not all(type(each) in (int, float) for each in listed):
        return None
    try:
        length = math.hypot(*listed)
    except OverflowError:  # an integer that no float holds
        return None
    if not math.isfinite(length) or length < SMALLEST:
        return None
    parts = [each / length for each in listed]
    return tuple([part if abs(part) >= SMALLEST else 0.0 for part in parts])


def _invalid(detail: str, usage: Usage | None) -> PlannerFailure:
    return PlannerFailure("planner_invalid_answer", detail, True, None, "estimated", usage)
