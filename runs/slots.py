"""Slots: how many drivers of one process are at work at the same time; all others wait for a model or a tool.

Threads that compute at once only take the interpreter's lock from each other: with 32 runs that never wait,
two slots made 413 steps/s where 16 free threads made 336, with a fifth less CPU per step. Appends are waited
for outside, so that they gather (`runs.group_commit`); a slot is held over a step's reads, so a database that
is far away wants more of them (``DRIVER_SLOTS``).

Whoever waits for a slot waits by the rank of its run, the highest first: many runs of low priority would otherwise
stand before each step of an urgent one. Within a rank, whose step began first goes first, however often it waited
since. Were they let in by turns, a thousand steps that begin together would all end together, and their models be
waited for together: the machine would rest for as long as a model takes, and then have a thousand steps to make at
once again.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.conf import settings

MIDDLE = 1  # of the ranks 0 to 2, as many as there are priorities of runs
FRONT = 3
_numbers = itertools.count()


class Place(NamedTuple):
    """Where a driver stands among those who wait: the lowest is let in first."""

    after: int  # the rank, negated
    since: float  # when its step began, on a monotonic clock
    number: int  # of places given out: no two are equal


def take_place(rank: int = MIDDLE) -> Place:
    """Return the place of a step of a run of this rank that begins now."""
    return Place(-rank, time.monotonic(), next(_numbers))


class Slots:
    """The slots of one process. Whoever finds none waits at a lock of its own, and is let in by whoever leaves."""

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._waiting: list[tuple[Place, threading.Lock]] = []
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def is_at_work(self) -> bool:
        """Return whether a driver of this process is at work, or waits for a slot to be."""
        return self._free < self._number

    def when_nobody_is(self, listener: Callable[[], None]) -> None:
        """Have something called whenever the last driver at work ends, or begins to wait outside."""
        self._listeners.append(listener)

    def enter(self, place: Place) -> None:
        turn = threading.Lock()
        turn.acquire()
        self.admit(turn, place)
        turn.acquire()

    def admit(self, turn: threading.Lock, place: Place) -> None:
        """Release a lock as soon as a slot is free for whoever waits at it: awake before, it would only wait again."""
        with self._lock:
            if not self._free:
                heapq.heappush(self._waiting, (place, turn))
                return
            self._free -= 1
        turn.release()

    def leave(self) -> None:
        with self._lock:
            heir = heapq.heappop(self._waiting)[1] if self._waiting else None
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
    """The place of the run that this thread drives."""

    def __init__(self) -> None:
        self.place = take_place()


_driver = _Driver()


def own_place() -> Place:
    """Return the place in which this thread waits for a slot."""
    return _driver.place


def enter() -> None:
    """Take a slot, waiting for one in the place of this thread's run."""
    _slots.enter(own_place())


@contextmanager
def slot(rank: int = MIDDLE) -> Iterator[None]:
    """Hold a slot for a run of this rank, 0 to 2, waiting for one that is free."""
    _driver.place = take_place(rank)
    enter()
    try:
        yield
    finally:
        leave()
        _driver.place = take_place()


@contextmanager
def at_the_front() -> Iterator[None]:
    """Wait for a slot before all others within the block, which is short.

    What allows an attempt is compared when it is committed; were it to queue behind others' steps before it goes out,
    a full machine would have effects long after a stop.
    """
    usual, _driver.place = _driver.place, take_place(FRONT)
    try:
        yield
    finally:
        _driver.place = usual


class waiting_outside:
    """Leave the slot to others for as long as the block waits for something outside this process.

    What the model's answer begins is a step anew, which takes its place behind those that have begun.
    """

    def __init__(self, *, begins_step: bool = False) -> None:
        self._begins_step = begins_step

    def __enter__(self) -> None:
        leave()

    def __exit__(self, *_: object) -> None:
        if self._begins_step:
            _driver.place = take_place(-_driver.place.after)
        enter()
