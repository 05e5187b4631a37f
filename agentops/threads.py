"""Runs functions that may never return, in a bounded number of threads.

A thread cannot be stopped from outside. One that overruns its time is left alone, keeps its place until it
ends, and is counted as stuck; when half of the places are stuck, new work is refused rather than queued.
"""

from __future__ import annotations

import contextvars
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Saturated(Exception):
    """No thread was free: the function was not started."""


class Overrun(Exception):
    """The function was started and did not return in time. It may still be at work."""


class Raised(Exception):
    """The function raised `error`; wrapped, or what befalls the waiting thread would be mistaken for it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class _Job(Generic[T]):
    def __init__(self, function: Callable[[], T]) -> None:
        self._context = contextvars.copy_context()
        self._function = function
        # Held until the function has ended. A bare lock, because an event makes one for every wait besides its own.
        self.ended = threading.Lock()
        self.ended.acquire()
        self.abandoned = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def do(self) -> None:
        try:
            self.result = self._context.run(self._function)
        except BaseException as error:  # a thread's boundary: the caller gets it, whatever it is
            self.error = error


class BoundedThreads:
    """At most `limit` functions at once in this process, each with its own time limit."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._start_afresh()

    def run(self, function: Callable[[], T], timeout_s: float) -> T:
        """Run a function in a thread, with the caller's context variables; return what it returns.

        Waits up to `timeout_s` in total, for a free place at most half of that: what is started late would be left
        in doubt. Raises Saturated if it was not started, Overrun if it did not return, Raised if it raised.
        """
        deadline = time.monotonic() + timeout_s
        if self._pid != os.getpid():  # forked: the parent's threads do not exist here
            self._start_afresh()
        if self.stuck * 2 >= self._limit or not self._places.acquire(timeout=timeout_s / 2):
            raise Saturated
        job = _Job(function)
        self._hand_over(job)
        if not job.ended.acquire(timeout=max(0.0, deadline - time.monotonic())) and self._abandon(job):
            raise Overrun
        if job.error is not None:
            raise Raised(job.error)
        return cast(T, job.result)

    def _start_afresh(self) -> None:
        self._places = threading.BoundedSemaphore(self._limit)
        self._jobs: SimpleQueue[_Job[Any]] = SimpleQueue()  # Any: each job has its own type of result
        self._lock = threading.Lock()
        self._idle = 0
        self.stuck = 0
        self._pid = os.getpid()  # last: whoever sees it sees the rest

    def _hand_over(self, job: _Job[Any]) -> None:
        """Give a job that has a place to an idle thread, or to a new one."""
        with self._lock:
            start = self._idle == 0
            self._idle -= not start
        try:
            if start:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError as error:  # the system gives no more threads
            self._places.release()
            raise Saturated from error
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            job.do()
            with self._lock:
                job.ended.release()
                self.stuck -= job.abandoned
                self._idle += 1
            del job  # or an idle thread would keep the last result alive
            self._places.release()

    def _abandon(self, job: _Job[Any]) -> bool:
        """Count a job as stuck; return False if it ended in this very moment."""
        with self._lock:
            if not job.ended.locked():
                return False
            job.abandoned = True
            self.stuck += 1
            return True
