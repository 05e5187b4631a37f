"""Token usage as providers report it, normalised, or nothing."""

from __future__ import annotations

from runs.planner.answers import Usage

# A 32-bit count. More than that in one turn is a broken meter, not a bill.
MAX_TOKENS = 2**31 - 1


def read_usage(reported: object) -> Usage | None:
    """Return the `usage` object of a Chat Completion normalised, or None if it cannot be believed.

    None for anything missing, negative, not an integer, contradictory, or without any input: a prompt has
    tokens, so a zero means "not measured", and what is not known must not be booked as free.
    """
    try:
        return _normalise(_object(reported))
    except ValueError:
        return None


def _normalise(reported: dict[str, object]) -> Usage:
    prompt = _count(reported.get("prompt_tokens"))
    completion = _count(reported.get("completion_tokens"))
    prompt_details = _object(reported.get("prompt_tokens_details") or {})
    completion_details = _object(reported.get("completion_tokens_details") or {})
    reasoning = _count(completion_details.get("reasoning_tokens") or 0)
    if prompt == 0:
        raise ValueError("no input tokens")
    return Usage(
        input_tokens=prompt,
        output_tokens=_output(prompt, completion, reasoning, reported.get("total_tokens")),
        # DeepSeek tells it beside the details.
        cached_input_tokens=_count(
            prompt_details.get("cached_tokens") or reported.get("prompt_cache_hit_tokens") or 0
        ),
        cache_write_tokens=_count(prompt_details.get("cache_write_tokens") or 0),
        reasoning_tokens=reasoning,
    )


def _output(prompt: int, completion: int, reasoning: int, total: object) -> int:
    """Return all generated tokens.

    Some providers (xAI, Gemini's compatible endpoint) leave reasoning out of `completion_tokens` and show
    it only in the total or the details, yet bill it.
    """
    billed = completion if reasoning <= completion else completion + reasoning
    return billed if total is None else max(billed, _count(total) - prompt)


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_TOKENS:
        raise ValueError("not a token count")
    return value
