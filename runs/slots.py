"""Slots: how many drivers of one process are at work at the same time; all others wait for a model or a tool.

Threads that compute at once only take the interpreter's lock from each other: with 32 runs that never wait,
two slots made 413 steps/s where 16 free threads made 336, with a fifth less CPU per step. Appends are waited
for outside, so that they gather (`runs.group_commit`); a slot is held over a step's reads, so a database that
is far away wants more of them (``DRIVER_SLOTS``).

Whoever waits for a slot waits by the rank of its run, the highest first, and in turn within a rank: many runs of low
priority would otherwise stand before each step of an urgent one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings

RANKS = 3  # as many as there are priorities of runs
MIDDLE = 1


class Slots:
    """The slots of one process. Whoever finds none waits at a lock of its own, and is let in by whoever leaves."""

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._queues: tuple[deque[threading.Lock], ...] = tuple(deque() for _ in range(RANKS))
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def is_at_work(self) -> bool:
        """Return whether a driver of this process is at work, or waits for a slot to be."""
        return self._free < self._number

    def when_nobody_is(self, listener: Callable[[], None]) -> None:
        """Have something called whenever the last driver at work ends, or begins to wait outside."""
        self._listeners.append(listener)

    def enter(self, rank: int = MIDDLE) -> None:
        turn = threading.Lock()
        turn.acquire()
        self.admit(turn, rank)
        turn.acquire()

    def admit(self, turn: threading.Lock, rank: int = MIDDLE) -> None:
        """Release a lock as soon as a slot is free for whoever waits at it: awake before, it would only wait again."""
        with self._lock:
            if not self._free:
                self._queues[rank].append(turn)
                return
            self._free -= 1
        turn.release()

    def leave(self) -> None:
        with self._lock:
            waiting = next((queue for queue in reversed(self._queues) if queue), None)
            heir = waiting.popleft() if waiting else None
            self._free += heir is None
            is_last = self._free >= self._number  # more, where somebody waited without a slot
        if heir is not None:
            heir.release()
        elif is_last:
            for listener in self._listeners:
                listener()


_slots = Slots(settings.DRIVER_SLOTS)  # a pool forks with no slot taken
is_at_work, when_nobody_is = _slots.is_at_work, _slots.when_nobody_is
admit, leave = _slots.admit, _slots.leave


class _Driver(threading.local):
    """The rank of the run that this thread drives."""

    rank: int = MIDDLE


_driver = _Driver()


def own_rank() -> int:
    """Return the rank by which this thread waits for a slot."""
    return _driver.rank


def enter() -> None:
    """Take a slot, waiting for one by the rank of this thread's run."""
    _slots.enter(own_rank())


@contextmanager
def slot(rank: int = MIDDLE) -> Iterator[None]:
    """Hold a slot for a run of this rank, 0 to 2, waiting for one that is free."""
    _driver.rank = rank
    enter()
    try:
        yield
    finally:
        leave()
        _driver.rank = MIDDLE


class waiting_outside:
    """Leave the slot to others for as long as the block waits for something outside this process."""

    def __enter__(self) -> None:
        leave()

    def __exit__(self, *_: object) -> None:
        enter()
