"""Vectors of texts for demos and tests: words and parts of words, counted by their hashes. No model, no meaning.

The same text has the same vector in every process, texts that share words or stems are near, all others at a right
angle or close to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from hashlib import blake2b

DIMENSION = 256
WORD_WEIGHT, PART_WEIGHT = 1.0, 0.25
_WORD = re.compile(r"[^\W_]+")


def embed(text: str, name: Callable[[str], str] = str, dimension: int = DIMENSION) -> list[float]:
    """Return a vector of length one; ``name`` says what a word is counted as, where several mean the same.

    A text without words points where none with words does.
    """
    numbers = [0.0] * (dimension + 1)
    for feature, weight in _features(text, name):
        numbers[_place(feature, dimension)] += weight
    if not any(numbers):
        numbers[dimension] = 1.0
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


def _features(text: str, name: Callable[[str], str]) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text.lower()):
        meant = name(word)
        yield meant, WORD_WEIGHT
        marked = f"<{meant}>"
        for start in range(len(marked) - 3):
            yield f"part {marked[start : start + 4]}", PART_WEIGHT


def _place(feature: str, dimension: int) -> int:
    return int.from_bytes(blake2b(feature.encode(), digest_size=4).digest()) % dimension
