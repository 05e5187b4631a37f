"""Slots: few drivers at work at once, and none of them while it waits for something outside."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from django.conf import settings

from runs.slots import Slots, own_rank, slot, waiting_outside


class Room:
    """Counts who is in it, and the most that ever were."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1


def test_no_more_are_at_work_than_there_are_slots() -> None:
    room = Room()

    def work() -> None:
        for _ in range(50):
            with slot(), room:
                pass

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(work) for _ in range(16)]:
            done.result()
    assert 1 <= room.most <= settings.DRIVER_SLOTS


def test_who_waits_outside_keeps_nobody_from_working() -> None:
    """All wait for each other outside: with their slots held, they would wait for ever."""
    meet = threading.Barrier(16, timeout=30)

    def wait() -> None:
        with slot(), waiting_outside():
            meet.wait()

    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(wait) for _ in range(16)]:
            done.result()


def test_a_slot_is_given_back_after_a_fault() -> None:
    for _ in range(settings.DRIVER_SLOTS + 1):
        try:
            with slot(), waiting_outside():
                raise RuntimeError("the tool broke")
        except RuntimeError:
            pass
    with slot():
        pass


def locked() -> threading.Lock:
    turn = threading.Lock()
    turn.acquire()
    return turn


def test_who_is_admitted_wakes_up_with_a_slot_and_in_turn() -> None:
    slots = Slots(1)
    slots.enter()
    first, second = locked(), locked()
    slots.admit(first)
    slots.admit(second)
    assert (first.locked(), second.locked()) == (True, True)
    slots.leave()
    assert (first.locked(), second.locked()) == (False, True)
    slots.leave()
    assert (second.locked(), slots.is_at_work()) == (False, True)
    slots.leave()
    assert not slots.is_at_work()


def test_listeners_hear_of_it_when_nobody_is_at_work_and_only_then() -> None:
    slots, heard = Slots(1), []
    slots.when_nobody_is(lambda: heard.append("quiet"))
    slots.enter()
    slots.admit(locked())
    slots.leave()
    assert heard == []
    slots.leave()
    assert heard == ["quiet"]


def test_who_is_urgent_is_let_in_first_and_others_in_turn() -> None:
    slots = Slots(1)
    slots.enter()
    low, first, second, high = (locked() for _ in range(4))
    for turn, rank in ((low, 0), (first, 1), (second, 1), (high, 2)):
        slots.admit(turn, rank)
    order = []
    for _ in range(4):
        slots.leave()
        order += [turn for turn in (low, first, second, high) if not turn.locked() and turn not in order]
    assert order == [high, first, second, low]


def test_a_thread_waits_by_the_rank_of_its_run_also_when_it_comes_back() -> None:
    seen = []
    with slot(2):
        with waiting_outside():
            pass
        seen.append(own_rank())
    assert (seen, own_rank()) == ([2], 1)
