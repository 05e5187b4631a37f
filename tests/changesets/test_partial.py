"""Random partial acceptance over random dependencies: nothing is carried out without all that it depends on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.changesets import depending
from runs.changesets.depending import find_accepted, find_fallen

pytestmark = [pytest.mark.changesets, pytest.mark.slow]

Edges = dict[int, list[int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Edges, set[int]]:
    """Draw items that depend on earlier ones, and which of them were approved."""
    size = draw(st.integers(1, 14))
    edges = {
        number: draw(st.lists(st.integers(1, number - 1), unique=True, max_size=4)) if number > 1 else []
        for number in range(1, size + 1)
    }
    return edges, draw(st.sets(st.integers(1, size)))


def reach(edges: Edges, number: int) -> set[int]:
    """Return all that an item depends on, directly or not; found in another way than the code under test does."""
    found: set[int] = set()
    ahead = list(edges[number])
    while ahead:
        each = ahead.pop()
        if each not in found:
            found.add(each)
            ahead += edges[each]
    return found


def check(edges: Edges, approved: set[int]) -> None:
    accepted = find_accepted(edges, approved.__contains__)
    assert accepted == sorted(accepted)
    for number in edges:
        is_sound = number in approved and reach(edges, number) <= approved
        assert (number in accepted) == is_sound, (number, edges, approved)


@settings(max_examples=2_000, deadline=None)
@given(graphs())
def test_nothing_is_carried_out_without_what_it_depends_on(drawn: tuple[Edges, set[int]]) -> None:
    check(*drawn)


@settings(max_examples=500, deadline=None)
@given(graphs())
def test_what_falls_names_an_item_that_it_depends_on_and_that_is_not_carried_out(
    drawn: tuple[Edges, set[int]],
) -> None:
    edges, approved = drawn
    accepted = find_accepted(edges, approved.__contains__)
    for number, cause in find_fallen(edges, approved.__contains__).items():
        assert cause in edges[number]
        assert cause not in accepted


def test_without_the_guard_the_property_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depending, "find_fallen", lambda edges, is_accepted: {})
    with pytest.raises(AssertionError):
        check({1: [], 2: [1]}, {2})
