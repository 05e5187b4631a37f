"""Slots: few drivers at work at once, and none of them while it waits for something outside."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings

from runs import group_commit, slots
from runs.journal import Appended, Write
from runs.slots import Place, Slots, own_place, slot, take_place, waiting_outside
from tests.runs.company import ORDER, Company, proposes, says


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
    few = Slots(1)
    few.enter(take_place())
    first, second = locked(), locked()
    few.admit(first, take_place())
    few.admit(second, take_place())
    assert (first.locked(), second.locked()) == (True, True)
    few.leave()
    assert (first.locked(), second.locked()) == (False, True)
    few.leave()
    assert (second.locked(), few.is_at_work()) == (False, True)
    few.leave()
    assert not few.is_at_work()


def test_listeners_hear_of_it_when_nobody_is_at_work_and_only_then() -> None:
    few, heard = Slots(1), []
    few.when_nobody_is(lambda: heard.append("quiet"))
    few.enter(take_place())
    few.admit(locked(), take_place())
    few.leave()
    assert heard == []
    few.leave()
    assert heard == ["quiet"]


def test_who_is_urgent_is_let_in_first_and_of_equals_whose_step_began_first() -> None:
    few = Slots(1)
    few.enter(take_place())
    places = {name: take_place(rank) for name, rank in (("low", 0), ("first", 1), ("second", 1), ("high", 2))}
    turns = {name: locked() for name in ("second", "low", "high", "first")}  # as they come
    for name, turn in turns.items():
        few.admit(turn, places[name])
    order: list[str] = []
    for _ in turns:
        few.leave()
        order += [name for name, turn in turns.items() if not turn.locked() and name not in order]
    assert order == ["high", "first", "second", "low"]


def test_a_thread_keeps_its_place_until_a_step_begins_and_its_rank_beyond() -> None:
    with slot(2):
        begun = own_place()
        with waiting_outside():
            pass
        assert own_place() == begun
        with waiting_outside(begins_step=True):
            pass
        assert begun.after == own_place().after == -2
        assert own_place() > begun
    assert own_place().after == -1


def test_each_answer_of_a_model_begins_a_step_and_nothing_else_does(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Place] = []

    def note(rank: int = 1) -> Place:
        taken.append(take_place(rank))
        return taken[-1]

    monkeypatch.setattr(slots, "take_place", note)
    company.add_reads()
    company.run(proposes(("look_up", ORDER)), proposes(("look_up", ORDER)), says("Done."))
    of_a_drive = 2  # when it begins and when it ends
    assert len([place for place in taken if place.after == -1]) == 3 + of_a_drive


def test_what_was_committed_goes_out_before_all_others(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before steps that began earlier, of runs that are more urgent: what allowed it grows old."""
    company.add_tool("refund")
    company.play(proposes(("refund", ORDER)), says("Done."))
    places: list[tuple[bool, Place]] = []
    append = group_commit.append

    def note_place(write: Write) -> Appended:
        places.append((bool(write.premises), own_place()))
        return append(write)

    monkeypatch.setattr(group_commit, "append", note_place)
    urgent = take_place(2)
    run = company.drive(company.start())
    assert run.state == "completed"
    assert [place for attempts, place in places if attempts]
    assert all((place < urgent) is attempts for attempts, place in places)
