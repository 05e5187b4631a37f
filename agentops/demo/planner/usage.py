"""Token counts, and the cut that a completion limit makes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

# About four characters of English to a token: the estimate that model vendors publish.
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Texts:
    """Everything the model writes in one answer, in the order it writes it; `calls` are (name, arguments)."""

    thought: str | None = None
    content: str | None = None
    refusal: str | None = None
    calls: tuple[tuple[str, str], ...] = ()

    @property
    def length(self) -> int:
        """Characters in all."""
        written = [self.thought, self.content, self.refusal, *(arguments for _, arguments in self.calls)]
        return sum(len(text) for text in written if text)


@dataclass(frozen=True)
class Spent:
    """Token counts of one answer; reasoning is part of completion, cached part of prompt."""

    prompt: int
    completion: int
    cached: int
    reasoning: int

    def as_json(self) -> dict[str, Any]:  # Any: counts and their breakdown
        """Return the `usage` object of a chat completion."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


def estimate_tokens(length: int) -> int:
    """Return the tokens that so many characters come to, rounded up."""
    return -(-length // CHARACTERS_PER_TOKEN)


def limit_completion(texts: Texts, spent: Spent, limit: int | None) -> tuple[Texts, Spent, bool]:
    """Return texts and counts cut to the limit (tokens), and whether they were cut.

    Where the script states more tokens than its short texts come to, the same share of the texts is kept.
    """
    if limit is None or spent.completion <= limit:
        return texts, spent, False
    kept = cut_texts(texts, texts.length * limit // spent.completion)
    return kept, replace(spent, completion=limit, reasoning=min(spent.reasoning, limit)), True


def cut_texts(texts: Texts, room: int) -> Texts:
    """Return the first `room` characters of the answer; calls that are not reached are left out."""
    left = room

    def take(text: str | None) -> str | None:
        nonlocal left
        if text is None:
            return None
        taken = text[:left]
        left -= len(taken)
        return taken

    thought, content, refusal = take(texts.thought), take(texts.content), take(texts.refusal)
    calls = []
    for name, arguments in texts.calls:
        if left > 0:
            calls.append((name, take(arguments) or ""))
    return Texts(thought, content, refusal, tuple(calls))
