from __future__ import annotations

import threading

import pytest

from tools.cache import BoundedCache


def test_a_value_is_built_once_and_the_oldest_unused_one_goes() -> None:
    cache: BoundedCache[str, object] = BoundedCache(limit=2)
    first = cache.get_or_build("a", object)
    cache.get_or_build("b", object)
    assert cache.get_or_build("a", object) is first
    cache.get_or_build("c", object)
    assert len(cache) == 2
    assert cache.get_or_build("a", object) is first


def test_a_failed_build_is_not_kept() -> None:
    cache: BoundedCache[str, int] = BoundedCache(limit=2)
    with pytest.raises(ZeroDivisionError):
        cache.get_or_build("a", lambda: 1 // 0)
    assert cache.get_or_build("a", lambda: 5) == 5


def test_threads_share_it_within_its_bound() -> None:
    cache: BoundedCache[int, int] = BoundedCache(limit=8)
    wrong: list[int] = []

    def work() -> None:
        for number in range(400):
            key = number % 23
            if cache.get_or_build(key, lambda: key * 2) != key * 2:  # noqa: B023 (called at once)
                wrong.append(key)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(cache) <= 8
