"""Noticing that a run goes in circles."""

from __future__ import annotations

from collections.abc import Sequence


def find_cycle(recent: Sequence[str], repeats: int) -> int:
    """Return the length of the shortest cycle that the last proposals repeat ``repeats`` times, or 0.

    ``recent`` holds one signature (tool and arguments' digest) per proposed call, oldest first. A length of 1
    is the same call again and again, 2 is an A-B-A-B-A-B, and so on.
    """
    if repeats < 2:
        return 0
    for length in range(1, len(recent) // repeats + 1):
        tail = recent[-length * repeats :]
        if all(tail[i] == tail[i % length] for i in range(len(tail))):
            return length
    return 0
