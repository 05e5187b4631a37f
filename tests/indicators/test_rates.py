"""False alarms and power of the rule, by drawing thousands of versions; the figures are printed."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from random import Random
from statistics import NormalDist

import pytest

from runs.indicators import rule
from runs.indicators.rule import FALSE_ALARMS, LOOKS, MOST_BEFORE, Sample, happens_more, takes_more

pytestmark = [pytest.mark.slow, pytest.mark.indicators]

VERSIONS = 2_000
Draw = Callable[[Random], float]


def cost(dice: Random) -> float:
    """Long-tailed: a standard deviation of half the mean."""
    return exp(dice.gauss(0.0, 0.472))


def steps(dice: Random) -> float:
    """Three at least, and then one more in two of three cases."""
    number = 3
    while dice.random() < 2 / 3 and number < 12:
        number += 1
    return float(number)


def errors(dice: Random) -> float:
    """One run of twenty has one."""
    return float(dice.random() < 0.05)


def waiting(dice: Random) -> float:
    """Nobody is asked in two of three runs; else as long as it takes."""
    return 0.0 if dice.random() < 2 / 3 else dice.expovariate(1 / 300)


SHAPES: tuple[Draw, ...] = (cost, steps, errors, waiting)


Rule = Callable[[Sample, Sample], bool]


def happens(share: float) -> Draw:
    """So many runs of a hundred did not do what was asked."""
    return lambda dice: float(dice.random() < share)


def found_at(
    dice: Random, draw: Draw, times: float = 1.0, by_rule: Rule = takes_more, then: Draw | None = None
) -> int | None:
    """Return at which look a version is found that takes so many times as much as the one before it."""
    before = sample([(then or draw)(dice) for _ in range(MOST_BEFORE)])
    values: list[float] = []
    for look in LOOKS:
        values += [draw(dice) * times for _ in range(look - len(values))]
        if by_rule(sample(values), before):
            return look
    return None


def sample(values: list[float]) -> Sample:
    mean = sum(values) / len(values)
    return Sample(len(values), mean, sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def share_found(draw: Draw, times: float, by: int = LOOKS[-1], versions: int = VERSIONS) -> float:
    dice = Random(20261130)
    found = [found_at(dice, draw, times) for _ in range(versions)]
    return sum(look is not None and look <= by for look in found) / versions


def most_by_chance(share: float, versions: int = VERSIONS) -> float:
    """Return the share that is passed in one of a thousand series, if each version has this chance."""
    return share + 3.1 * sqrt(share * (1 - share) / versions)


@pytest.mark.parametrize("draw", SHAPES, ids=lambda draw: draw.__name__)
def test_false_alarms_are_no_more_than_declared(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of the test alone, where every difference is minded."""
    as_it_is = share_found(draw, 1.0)
    monkeypatch.setattr(rule, "MINDED", 1.0)
    alone = share_found(draw, 1.0)
    print(
        f"\n{draw.__name__}: false alarms {as_it_is:.4f}, of the test alone {alone:.4f}, declared {FALSE_ALARMS}"
    )
    assert max(as_it_is, alone) <= most_by_chance(FALSE_ALARMS)


@pytest.mark.parametrize(
    ("draw", "by", "power"), [(cost, 160, 0.75), (cost, 640, 0.99), (steps, 640, 0.99)], ids=str
)
def test_a_fifth_more_is_found(draw: Draw, by: int, power: float) -> None:
    found = share_found(draw, 1.2, by, versions=600)
    print(f"\n{draw.__name__}: a fifth more is found by {by} runs in {found:.3f} of cases, stated {power}")
    assert found >= power


# --- shares: what was asked was not done --------------------------------------------------------------------------

SHARES = (0.01, 0.05, 0.3, 0.9, 0.99)


def share_of_shares_found(
    share: float, before: float, by: int = LOOKS[-1], versions: int = VERSIONS
) -> float:
    dice = Random(20261130)
    draws = happens(share), happens(before)
    found = [found_at(dice, draws[0], by_rule=happens_more, then=draws[1]) for _ in range(versions)]
    return sum(look is not None and look <= by for look in found) / versions


@pytest.mark.parametrize("share", SHARES)
def test_false_alarms_of_shares_are_no_more_than_declared(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = share_of_shares_found(share, share)
    monkeypatch.setattr(rule, "MINDED", 1.0)
    alone = share_of_shares_found(share, share)
    print(f"\n{share:.2f} unfulfilled: false alarms {as_it_is:.4f}, of the test alone {alone:.4f}")
    assert max(as_it_is, alone) <= most_by_chance(FALSE_ALARMS)


@pytest.mark.parametrize(
    ("before", "now", "by", "power"), [(0.05, 0.15, 160, 0.75), (0.05, 0.1, 640, 0.65), (0.0, 0.1, 160, 0.95)]
)
def test_what_fails_more_often_is_found(before: float, now: float, by: int, power: float) -> None:
    found = share_of_shares_found(now, before, by, versions=600)
    print(
        f"\n{before:.2f} to {now:.2f} unfulfilled: found by {by} runs in {found:.3f} of cases, stated {power}"
    )
    assert found >= power


def test_by_means_and_variances_alone_shares_would_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: where almost all have it, twenty in a row leave no variance, and any difference is certain."""
    monkeypatch.setattr(rule, "MINDED", 1.0)
    dice = Random(20261130)
    found = [found_at(dice, happens(0.9)) for _ in range(400)]
    assert sum(look is not None for look in found) / 400 > most_by_chance(FALSE_ALARMS, 400)


def test_without_shares_of_the_rate_there_are_more_alarms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: each look as if it were the only one."""
    monkeypatch.setattr(rule, "MINDED", 1.0)
    monkeypatch.setattr(rule, "_Z", NormalDist().inv_cdf(1 - FALSE_ALARMS))
    assert share_found(cost, 1.0) > most_by_chance(FALSE_ALARMS)
