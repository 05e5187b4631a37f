"""A Chat Completion, as a provider wrote it, turned into an answer or a failure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentops.strict_json import clean_text
from runs.planner.answers import PlannerAnswer, PlannerFailure, Usage
from runs.planner.calls import MAX_CALLS, read_calls
from runs.planner.faults import status_failure
from runs.planner.usage import read_usage

# With these the provider stopped the turn before the model had finished it.
_CUT_SHORT = frozenset({"length", "content_filter"})

_FILTERED = "The provider's content filter withheld the answer."


def read_completion(body: bytes, *, latency_ms: int) -> PlannerAnswer | PlannerFailure:
    """Read the body of a 200 from POST /chat/completions.

    Failures: `planner_invalid_answer` (not a Chat Completion), `empty_answer` (neither text, call nor
    refusal), `planner_unavailable` (the provider says that it broke off).
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _invalid("the body is not JSON", None)
    if not isinstance(document, dict):
        return _invalid("the body is not an object", None)
    usage = read_usage(document.get("usage"))
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        return _without_choices(document, usage)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return _invalid("the first choice has no message", usage)
    if choice.get("finish_reason") == "error":
        # OpenRouter's word for a model that broke off: the text is half an answer and must not pass for one.
        return PlannerFailure("planner_unavailable", "the model broke off", True, None, "estimated", usage)
    return _read_choice(document, choice, message, usage, latency_ms)


def _read_choice(
    document: dict[str, Any],
    choice: dict[str, Any],
    message: dict[str, Any],
    usage: Usage | None,
    latency_ms: int,
) -> PlannerAnswer | PlannerFailure:
    finish_reason = _label(choice.get("finish_reason"))
    proposed = message.get("tool_calls") or []
    if not isinstance(proposed, list):
        return _invalid("tool_calls is not a list", usage)
    answer = PlannerAnswer(
        text=_text(message.get("content"), "text"),
        thought=_text(message.get("reasoning_content") or message.get("reasoning"), "text"),
        calls=read_calls(proposed, cut_short=finish_reason in _CUT_SHORT),
        # A turn with content cost output: a zero is a meter that is not connected.
        usage=usage if usage and usage.output_tokens else None,
        finish_reason=finish_reason,
        model=_label(document.get("model")),
        response_id=_label(document.get("id")),
        latency_ms=latency_ms,
        refusal=_refusal(message),
        problem="too_many_calls" if len(proposed) > MAX_CALLS else None,
    )
    if answer.text.strip() or answer.calls or answer.refusal:
        return answer
    if finish_reason == "content_filter":
        return replace(answer, refusal=_FILTERED)
    return _empty(finish_reason, usage)


def _refusal(message: dict[str, Any]) -> str | None:
    refusal = message.get("refusal")
    said = clean_text(refusal) if isinstance(refusal, str) else _text(message.get("content"), "refusal")
    return said or None


def _text(content: object, kind: str) -> str:
    """Return the text of `content`: a string (always of kind "text"), or the parts of that kind joined."""
    if isinstance(content, str):
        return clean_text(content) if kind == "text" else ""
    parts: Sequence[object] = content if isinstance(content, list) else ()
    texts = [part.get(kind) for part in parts if isinstance(part, dict) and part.get("type") == kind]
    return clean_text("".join(text for text in texts if isinstance(text, str)))


def _label(value: object) -> str:
    return clean_text(value)[:128] if isinstance(value, str) else ""


def _without_choices(document: dict[str, Any], usage: Usage | None) -> PlannerFailure:
    """Tell a missing choice from an error that came under status 200, as OpenRouter sends it."""
    error = document.get("error")
    status = error.get("code") if isinstance(error, dict) else None
    if isinstance(status, int) and 400 <= status <= 599:
        return replace(status_failure(status, {}), usage=usage)
    return _invalid("the body has no choices", usage)


def _invalid(detail: str, usage: Usage | None) -> PlannerFailure:
    return PlannerFailure("planner_invalid_answer", detail, True, None, "estimated", usage)


def _empty(finish_reason: str, usage: Usage | None) -> PlannerFailure:
    if finish_reason == "length":
        # The same question under the same limit ends the same way.
        detail = "the completion limit was spent before the answer began"
        return PlannerFailure("empty_answer", detail, False, None, "estimated", usage)
    return PlannerFailure("empty_answer", "neither text nor tool call", True, None, "estimated", usage)
