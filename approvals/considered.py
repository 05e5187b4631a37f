"""Whether a decision was considered: how long somebody had a request open, against what there was to read. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Brysbaert (2019), a review of 190 studies: adults read 238 words of English a minute in silence. Who decides skims:
# twice as fast is the least that is called reading here, and nobody is asked for more than a minute.
WORDS_PER_S = 238 * 2 / 60
LEAST_S, MOST_S = 3.0, 60.0
WEIGHT = {"irreversible": 2.0}  # what cannot be undone is worth reading at the usual speed
MOST_WORDS = 100_000


def count_words(evidence: Any) -> int:  # Any: JSON
    """Return how many words there are to read in what a person is shown; what stands on no page is not counted."""
    return min(MOST_WORDS, sum(len(text.split()) for text in _walk(evidence)))


def _walk(value: Any) -> Iterator[str]:  # Any: JSON
    if isinstance(value, dict):
        for each in value.values():
            yield from _walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each)
    elif value is not None:
        yield str(value)


def least_seconds(to_read: int, effect: str) -> float:
    """Return how long a request with so many words has to be open for its decision to be called considered."""
    return min(MOST_S, max(LEAST_S, to_read / WORDS_PER_S * WEIGHT.get(effect, 1.0)))


def is_considered(opened_s: int | None, to_read: int | None, effect: str) -> bool | None:
    """Return whether a decision was considered; None where nobody knows what there was to read.

    Who never opened the request by itself has not considered it.
    """
    if to_read is None:
        return None
    return opened_s is not None and opened_s >= least_seconds(to_read, effect)
