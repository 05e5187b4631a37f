"""Calling a call back that is under way: whoever sees that its right has gone says so, and its adapter ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable

CALLED_BACK = "called_back"


class Recall:
    """Whether one attempt was called back, and how its adapter ends it, if it can."""

    __slots__ = ("_end", "_lock", "code")

    def __init__(self) -> None:
        self.code = ""  # why, once it was
        self._end: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def call_back(self, code: str) -> None:
        """Call the attempt back, once; its own thread finds out by what it waits for."""
        with self._lock:
            if self.code:
                return
            self.code = code
            if self._end is not None:
                self._end()

    def heed(self, end: Callable[[], None]) -> None:
        """Have this done when the attempt is called back, which may have been a moment ago."""
        with self._lock:
            self._end = end
            if self.code:
                end()
