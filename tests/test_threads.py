from __future__ import annotations

import contextvars
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from agentops import threads as threads_module
from agentops.threads import BoundedThreads, Overrun, Raised, Saturated

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def wait_for_nobody_stuck(threads: BoundedThreads) -> None:
    deadline = time.monotonic() + 20
    while threads.stuck:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_result_comes_back_and_so_does_what_was_raised() -> None:
    threads = BoundedThreads(2, "t")
    assert threads.run(lambda: 5, 5.0) == 5
    with pytest.raises(Raised) as caught:
        threads.run(lambda: 1 // 0, 5.0)
    assert isinstance(caught.value.error, ZeroDivisionError)
    with pytest.raises(Raised):
        threads.run(lambda: sys.exit(3), 5.0)
    assert threads.run(lambda: 6, 5.0) == 6, "places are given back whatever happens"


def test_the_callers_context_is_seen() -> None:
    token = colour.set("blue")
    try:
        assert BoundedThreads(1, "t").run(colour.get, 5.0) == "blue"
    finally:
        colour.reset(token)


def test_an_overrun_keeps_its_place_until_it_ends(released: threading.Event) -> None:
    threads = BoundedThreads(4, "t")
    with pytest.raises(Overrun):
        threads.run(lambda: released.wait(60), 0.01)
    assert threads.stuck == 1
    assert threads.run(lambda: "still served", 5.0) == "still served"
    released.set()
    wait_for_nobody_stuck(threads)
    assert threads.run(lambda: 1, 5.0) == 1


def test_with_half_of_the_places_stuck_new_work_is_refused(released: threading.Event) -> None:
    threads = BoundedThreads(4, "t")
    started: list[int] = []
    for _ in range(2):
        with pytest.raises(Overrun):
            threads.run(lambda: released.wait(60), 0.01)
    with pytest.raises(Saturated):
        threads.run(lambda: started.append(1), 5.0)
    assert started == []
    released.set()
    wait_for_nobody_stuck(threads)
    threads.run(lambda: started.append(2), 5.0)
    assert started == [2]


def test_no_more_run_at_once_than_allowed(released: threading.Event) -> None:
    threads = BoundedThreads(3, "t")
    inside, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        released.wait(0.01)
        with lock:
            inside -= 1

    callers = [threading.Thread(target=threads.run, args=(work, 60.0)) for _ in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert 1 <= most <= 3


def test_a_busy_pool_is_waited_for_and_then_refuses(released: threading.Event) -> None:
    threads = BoundedThreads(1, "t")
    busy = threading.Event()

    def work() -> bool:
        busy.set()
        return released.wait(60)

    holder = threading.Thread(target=threads.run, args=(work, 60.0))
    holder.start()
    busy.wait(60)
    with pytest.raises(Saturated):
        threads.run(lambda: 1, 0.01)
    released.set()
    holder.join()
    assert threads.run(lambda: 1, 5.0) == 1


def test_the_wait_for_a_place_and_for_the_function_is_one(
    released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = BoundedThreads(1, "t")
    clock = iter([100.0, 159.99])  # when it was asked, and when a place was found
    monkeypatch.setattr(threads_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(Overrun):
        threads.run(lambda: released.wait(5), 60.0)


class WatchedPlaces(threading.BoundedSemaphore):
    """Places of which is known how long they were waited for at most."""

    def __init__(self, places: int) -> None:
        super().__init__(places)
        self.waits: list[float | None] = []

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return super().acquire(blocking, timeout)


def test_half_of_the_time_is_left_for_what_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, places = BoundedThreads(1, "t"), WatchedPlaces(1)
    monkeypatch.setattr(threads, "_places", places)
    threads.run(lambda: None, 60.0)
    assert places.waits == [30.0]
