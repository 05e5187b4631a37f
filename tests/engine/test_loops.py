from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.engine import ENGINE_VERSION
from agentops.engine.loops import (
    PROPOSED_LIMIT,
    count_proposals,
    find_cycle,
    forget_proposals,
    is_stuck,
    note_success,
)
from agentops.engine.state import CallState, Limits, RunState
from tests.engine.world import START

# --- up to engine version 2: an uninterrupted cycle -------------------------------------------------------


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


# --- since: how often each call was proposed --------------------------------------------------------------

BEGUN = RunState(
    Limits(1_000, 10**6, Decimal(10), 90), START + timedelta(hours=1), engine=ENGINE_VERSION, repeat_limit=3
)
Turn = Sequence[str]


def propose(state: RunState, turn: Turn) -> RunState:
    return count_proposals(state, [_call(number, name) for number, name in enumerate(turn, start=1)])


def succeed(state: RunState, name: str) -> RunState:
    """Let a call succeed; writes are written in capitals."""
    return note_success(state, _call(1, name))


def _call(number: int, name: str) -> CallState:
    return CallState(number, "tool", name, effect="reversible" if name.isupper() else "read")


def play(script: Sequence[Turn], repeat_limit: int = 3) -> int:
    """Play turns whose calls all succeed; ``"!"`` is a person's word. Return the turn that is stuck, or 0."""
    state = BEGUN._replace(repeat_limit=repeat_limit)
    for number, turn in enumerate(script, start=1):
        state = forget_proposals(state) if turn == "!" else propose(state, turn)
        if is_stuck(state):
            return number
        for name in turn:
            state = succeed(state, name)
    return 0


def fresh(number: int) -> str:
    return f"new-{number}"


@pytest.mark.parametrize(
    ("script", "stuck"),
    [
        (["a", "a", "a"], 3),
        (["a", "a"], 0),
        (["aaa"], 1),
        (["aa", "a"], 2),
        (["A", "A", "A"], 3),
        # Whatever lies between.
        (["a", "b", "c", "a", "d", "e", "a"], 7),
        (["a", "b", "a", "b", "a", "b"], 5),
        (["abcdefghi", "abcdefghi", "ihgfedcba"], 3),
        # A read may be repeated after a write that succeeded; the write goes on counting.
        (["a", "A", "a", "B", "a", "C", "a"], 0),
        (["a", "A", "a", "A", "a", "A"], 6),
        (["A", "B", "A", "B", "A"], 5),
        (["a", "a", "A", "a", "a", "B", "a", "a"], 0),
        (["a", "a", "A", "a", "a", "a"], 6),
        (["aA", "aB", "aC", "aD"], 0),
        # People's words begin anew.
        (["a", "a", "!", "a", "a"], 0),
        (["A", "A", "!", "A", "A"], 0),
        (["a", "!", "a", "a", "a"], 5),
        (["ab", "ac", "!", "ad", "ae", "af"], 6),
    ],
)
def test_a_call_that_is_proposed_three_times(script: Sequence[Turn], stuck: int) -> None:
    assert play(script) == stuck


@pytest.mark.parametrize("limit", [0, 1])
def test_below_two_nothing_is_a_circle(limit: int) -> None:
    assert play(["a"] * 30, limit) == 0


def test_a_large_limit_is_reached_by_cycles_too() -> None:
    assert play(["a", "b"] * 24, repeat_limit=13) == 25
    assert play([[fresh(n) for n in range(64)]] * 24, repeat_limit=24) == 24


def test_a_read_that_did_not_succeed_counts_on_after_a_write() -> None:
    state = succeed(propose(propose(BEGUN, "a"), "A"), "A")
    assert is_stuck(propose(propose(state, "a"), "a"))


def test_what_was_proposed_longest_ago_is_forgotten() -> None:
    state = propose(propose(BEGUN, "a"), "a")
    for number in range(PROPOSED_LIMIT - 1):
        state = propose(state, [fresh(number)])
    assert is_stuck(propose(state, "a"))
    state = propose(state, [fresh(PROPOSED_LIMIT)])
    assert len(state.proposed) == PROPOSED_LIMIT
    assert not is_stuck(propose(state, "a"))


@given(st.lists(st.text("ab", min_size=1, max_size=3), max_size=8), st.integers(2, 5))
def test_it_is_stuck_exactly_when_a_call_was_proposed_that_often(script: list[str], limit: int) -> None:
    stuck = play(script, limit)
    counted = ["".join(script[:number]) for number in range(1, len(script) + 1)]
    often = [max(text.count(name) for name in "ab") >= limit for text in counted]
    assert stuck == (often.index(True) + 1 if any(often) else 0)


@given(st.text("abc", max_size=24), st.integers(2, 4))
def test_whatever_was_a_cycle_before_is_a_circle_still(recent: str, limit: int) -> None:
    if find_cycle(recent, limit):
        assert play(list(recent), limit)


@given(st.lists(st.sampled_from(["a", "b", "A", "B", "!"]), max_size=30))
def test_it_never_takes_fewer_than_the_limit(script: list[str]) -> None:
    stuck = play(script, 3)
    if stuck:
        assert script[:stuck].count(script[stuck - 1]) >= 3
