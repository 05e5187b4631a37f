"""What is kept for a while and then asked anew: by one thread for all that want it, and not by all processes at once.

An age is counted from when something was asked for, and no value is given out that is older than it may be.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

JITTER = 0.2  # of the time that it may be kept


def kept_for_s(longest_s: float) -> float:
    """Return how long something is kept this time: up to a fifth less, so that processes that began together part."""
    return longest_s * (1 - JITTER * random.random())  # noqa: S311  no secret


class Fresh(Generic[K, V]):
    """Values no older than a limit. Keys are few: what is kept is replaced, and never dropped."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._kept: dict[K, tuple[float, V]] = {}
        self._locks: defaultdict[K, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def get(self, key: K, read: Callable[[], V]) -> V:
        """Return a value, or what ``read`` returns now; threads that want the same one wait for whoever reads it.

        What ``read`` raises is raised, and not kept.
        """
        found = self._kept.get(key)
        if found is None or time.monotonic() >= found[0]:
            with self._lock:
                own = self._locks[key]
            with own:
                found = self._kept.get(key)
                if found is None or time.monotonic() >= found[0]:
                    asked_at = time.monotonic()
                    found = self._kept[key] = (asked_at + kept_for_s(self._longest_s), read())
        return found[1]

    def expire(self, key: K) -> None:
        """Ask anew at the next use."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Ask for everything anew."""
        self._kept.clear()
