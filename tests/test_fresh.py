"""What is kept for a while: asked for by one of all that want it, no older than allowed, and not by all at once."""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from agentops.fresh import JITTER, Fresh, kept_for_s


class Source:
    """Counts how often it is asked; the first answer comes when all have asked."""

    def __init__(self, wanted: int) -> None:
        self.asked = 0
        self.barrier = threading.Barrier(wanted)

    def read(self) -> int:
        self.asked += 1
        return self.asked


def ask_together(kept: Fresh[str, int], source: Source, number: int) -> list[int]:
    """Have so many threads ask for the same at once, while the answer takes its time."""

    def read_slowly() -> int:
        answer = source.read()
        threading.Event().wait(0.2)
        return answer

    def ask(_: int) -> int:
        source.barrier.wait(20)
        return kept.get("key", read_slowly)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(ask, range(number)))


def test_of_many_that_want_the_same_one_asks() -> None:
    source = Source(8)
    assert ask_together(Fresh(60), source, 8) == [1] * 8
    assert source.asked == 1


def test_without_waiting_for_whoever_asks_each_would(monkeypatch: pytest.MonkeyPatch) -> None:
    source, kept = Source(8), Fresh[str, int](60)
    monkeypatch.setattr(kept, "_locks", defaultdict(nullcontext))
    ask_together(kept, source, 8)
    assert source.asked > 1


def test_it_is_kept_until_it_is_to_be_asked_anew() -> None:
    kept, source = Fresh[str, int](3_600), Source(1)
    assert (kept.get("key", source.read), kept.get("key", source.read)) == (1, 1)
    kept.expire("key")
    assert kept.get("key", source.read) == 2
    kept.clear()
    assert kept.get("key", source.read) == 3


def test_keys_are_kept_apart_and_a_failure_is_not_kept() -> None:
    kept, source = Fresh[str, int](60), Source(1)

    def fail() -> int:
        raise LookupError

    with pytest.raises(LookupError):
        kept.get("key", fail)
    assert (kept.get("key", source.read), kept.get("other", source.read), kept.get("key", source.read)) == (
        1,
        2,
        1,
    )


def test_nothing_is_kept_for_longer_and_all_for_other_times() -> None:
    times = [kept_for_s(100) for _ in range(1_000)]
    assert min(times) >= 100 * (1 - JITTER)
    assert max(times) <= 100
    assert len({round(each) for each in times}) > 10


def test_what_is_too_old_is_asked_for_anew() -> None:
    kept, source = Fresh[str, int](0), Source(1)
    assert [kept.get("key", source.read) for _ in range(3)] == [1, 2, 3]
