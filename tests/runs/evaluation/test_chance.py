"""What repetition alone explains: how often the rule is wrong, and how often it finds what is there."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from runs.evaluation.chance import LEVEL, by_chance

pytestmark = [pytest.mark.evaluation, pytest.mark.slow]

Draw = Callable[[Random, float], float]
TRIES = 100


def spread(draw: Random, mean: float) -> float:
    return draw.gauss(mean, mean / 3)


def share(draw: Random, mean: float) -> float:
    return float(draw.random() < mean)


def shares_told(values: Draw, more: float, cases: int, repeat: int) -> float:
    """Return in what share of pairs of versions a difference is told; ``more`` is how much the other one takes."""
    draw, told = Random(7), 0
    for _ in range(TRIES):
        means = [0.2 + 0.5 * draw.random() for _ in range(cases)]
        pairs = [
            ([values(draw, mean) for _ in range(repeat)], [values(draw, mean * more) for _ in range(repeat)])
            for mean in means
        ]
        told += by_chance(pairs) < LEVEL
    return told / TRIES


@pytest.mark.parametrize("values", [spread, share])
@pytest.mark.parametrize(("cases", "repeat"), [(10, 1), (5, 4)])
def test_what_does_not_differ_is_rarely_called_different(
    values: Draw, cases: int, repeat: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shares_told(values, 1.0, cases, repeat)
    with capsys.disabled():
        print(
            f"\n{values.__name__}, {cases} cases x {repeat}: called different without being so in {found:.1%}"
        )
    assert found <= LEVEL + 0.07  # of 100 draws a twentieth may be an eighth by chance once in a thousand


@pytest.mark.parametrize(("more", "least"), [(1.5, 0.9), (1.2, 0.3)])
def test_what_differs_is_found(more: float, least: float, capsys: pytest.CaptureFixture[str]) -> None:
    found = shares_told(spread, more, 10, 4)
    with capsys.disabled():
        print(f"\n{more - 1:.0%} more, 10 cases x 4: found in {found:.1%}")
    assert found >= least


@pytest.mark.parametrize(
    "pairs",
    [[], [([1.0], [2.0])], [([1.0, 1.0], [1.0, 1.0])], [([], [1.0])], [([3.0, 3.0], [4.0, 4.0])]],
)
def test_where_nothing_can_tell_nothing_is_told(pairs: list[tuple[list[float], list[float]]]) -> None:
    assert by_chance(pairs) > LEVEL


def test_it_says_the_same_each_time() -> None:
    pairs = [([1.0, 2.0, 3.0], [2.0, 3.0, 5.0])] * 3
    assert by_chance(pairs) == by_chance(pairs)


def test_versions_that_change_places_differ_as_much() -> None:
    pairs = [([1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 9.0])]
    assert by_chance(pairs) < LEVEL
    assert abs(by_chance(pairs) - by_chance([(b, a) for a, b in pairs])) < 0.02
