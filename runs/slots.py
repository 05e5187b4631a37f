"""Slots: how many drivers of one process are at work at the same time; all others wait for a model or a tool.

Threads that compute at once only take the interpreter's lock from each other: with 32 runs that never wait,
two slots made 413 steps/s where 16 free threads made 336, with a fifth less CPU per step. Appends are waited
for outside, so that they gather (`runs.group_commit`); a slot is held over a step's reads, so a database that
is far away wants more of them (``DRIVER_SLOTS``).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings


class Slots:
    """The slots of one process. Whoever finds none waits at a lock of its own, and is let in by whoever leaves."""

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._queue: deque[threading.Lock] = deque()
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def is_at_work(self) -> bool:
        """Return whether a driver of this process is at work, or waits for a slot to be."""
        return self._free < self._number

    def when_nobody_is(self, listener: Callable[[], None]) -> None:
        """Have something called whenever the last driver at work ends, or begins to wait outside."""
        self._listeners.append(listener)

    def enter(self) -> None:
        turn = threading.Lock()
        turn.acquire()
        self.admit(turn)
        turn.acquire()

    def admit(self, turn: threading.Lock) -> None:
        """Release a lock as soon as a slot is free for whoever waits at it: awake before, it would only wait again."""
        with self._lock:
            if not self._free:
                self._queue.append(turn)
                return
            self._free -= 1
        turn.release()

    def leave(self) -> None:
        with self._lock:
            heir = self._queue.popleft() if self._queue else None
            self._free += heir is None
            is_last = self._free >= self._number  # more, where somebody waited without a slot
        if heir is not None:
            heir.release()
        elif is_last:
            for listener in self._listeners:
                listener()


_slots = Slots(settings.DRIVER_SLOTS)  # a pool forks with no slot taken
is_at_work, when_nobody_is = _slots.is_at_work, _slots.when_nobody_is
enter, admit, leave = _slots.enter, _slots.admit, _slots.leave


@contextmanager
def slot() -> Iterator[None]:
    """Hold a slot, waiting for one that is free."""
    enter()
    try:
        yield
    finally:
        leave()


class waiting_outside:
    """Leave the slot to others for as long as the block waits for something outside this process."""

    def __enter__(self) -> None:
        leave()

    def __exit__(self, *_: object) -> None:
        enter()
