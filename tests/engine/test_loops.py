from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.engine.loops import find_cycle


@pytest.mark.parametrize(
    ("recent", "repeats", "length"),
    [
        ("", 3, 0),
        ("aa", 3, 0),
        ("aaa", 3, 1),
        ("baaa", 3, 1),
        ("aaab", 3, 0),
        ("aabaa", 3, 0),
        ("ababab", 3, 2),
        ("ababa", 3, 0),
        ("xababab", 3, 2),
        ("abcabcabc", 3, 3),
        ("abcabcab", 3, 0),
        ("aa", 2, 1),
        ("abab", 2, 2),
        ("aaaa", 1, 0),
        ("aaaa", 0, 0),
    ],
)
def test_the_shortest_cycle(recent: str, repeats: int, length: int) -> None:
    assert find_cycle(recent, repeats) == length


@given(st.text("ab", max_size=4), st.text("abc", min_size=1, max_size=4), st.integers(2, 4))
def test_whatever_is_repeated_is_found(before: str, cycle: str, repeats: int) -> None:
    found = find_cycle(before + cycle * repeats, repeats)
    assert 0 < found <= len(cycle)


@given(st.text("abc", max_size=24), st.integers(2, 4))
def test_what_is_found_is_repeated(recent: str, repeats: int) -> None:
    length = find_cycle(recent, repeats)
    if length:
        assert recent.endswith(recent[-length:] * repeats)
    else:
        assert not any(recent.endswith(recent[-n:] * repeats) for n in range(1, len(recent) // repeats + 1))
