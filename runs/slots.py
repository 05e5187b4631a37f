"""Slots: how many drivers of one process are at work at the same time; all others wait for a model or a tool.

Threads that compute at once only take the interpreter's lock from each other: with 32 runs that never wait,
two slots made 413 steps/s where 16 free threads made 336, with a fifth less CPU per step. Appends are waited
for outside, so that they gather (`runs.group_commit`); a slot is held over a step's reads, so a database that
is far away wants more of them (``DRIVER_SLOTS``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from django.conf import settings

# A queue because the interpreter's own semaphores are several times slower. A pool forks with no slot taken.
_free: SimpleQueue[None] = SimpleQueue()
for _ in range(settings.DRIVER_SLOTS):
    _free.put(None)


_counting = threading.Lock()
_at_work = 0
_listeners: list[Callable[[], None]] = []


def is_at_work() -> bool:
    """Return whether a driver of this process is at work, or waits for a slot to be."""
    return _at_work > 0


def when_nobody_is(listener: Callable[[], None]) -> None:
    """Have something called whenever the last driver at work ends, or begins to wait outside."""
    _listeners.append(listener)


def _enter() -> None:
    global _at_work
    with _counting:
        _at_work += 1
    _free.get()


def _leave() -> None:
    global _at_work
    _free.put(None)
    with _counting:
        _at_work -= 1
        was_last = _at_work <= 0
    if was_last:
        for listener in _listeners:
            listener()


@contextmanager
def slot() -> Iterator[None]:
    """Hold a slot, waiting for one that is free."""
    _enter()
    try:
        yield
    finally:
        _leave()


class waiting_outside:
    """Leave the slot to others for as long as the block waits for something outside this process."""

    def __enter__(self) -> None:
        _leave()

    def __exit__(self, *_: object) -> None:
        _enter()
