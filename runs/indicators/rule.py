"""Whether a version takes more than the one before: a rule with a declared rate of false alarms.

A version is looked at each time its runs have doubled, so that a large difference is found early and a small one
later. Each look compares means by Welch's t-test of unequal variances (Biometrika 34, 1947), one-sided, and has an
equal share of the rate that is declared for all looks together (Bonferroni's inequality): how often somebody looks
does not change how often they are alarmed without cause. A difference that nobody would mind is none.

Shares are compared by Fisher's exact test, one-sided: of a version of which 9 of 10 runs have something, 20 runs in
a row may have it by chance, and a variance that is nothing would make that certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist

# After so many completed runs of the new version it is looked at.
LOOKS = (20, 40, 80, 160, 320, 640)
LEAST_RUNS = LOOKS[0]
MOST_BEFORE = 640  # of the version before, the newest
FALSE_ALARMS = 0.01  # of one unit of one version that takes as much as the one before, over all looks
MINDED = 1.1  # times as much

_OF_LOOK = FALSE_ALARMS / len(LOOKS)
_Z = NormalDist().inv_cdf(1 - _OF_LOOK)


@dataclass(frozen=True, slots=True)
class Sample:
    """So many values, their mean and their variance."""

    number: int
    mean: float
    variance: float


def next_look(looked: int) -> int | None:
    """Return how many completed runs the next look takes, after one of so many; None after the last."""
    return next((look for look in LOOKS if look > looked), None)


def takes_more(now: Sample, before: Sample) -> bool:
    """Return whether it is more than chance, and more than nobody would mind."""
    if min(now.number, before.number) < LEAST_RUNS or now.mean <= before.mean * MINDED:
        return False
    of_now, of_before = now.variance / now.number, before.variance / before.number
    error = sqrt(of_now + of_before)
    return now.mean - before.mean > _critical(_freedom(of_now, now.number, of_before, before.number)) * error


def happens_more(now: Sample, before: Sample) -> bool:
    """Return the same of two shares: of samples of ones and noughts."""
    if min(now.number, before.number) < LEAST_RUNS or now.mean <= before.mean * MINDED:
        return False
    return _by_chance(_number(now), now.number, _number(before), before.number) < _OF_LOOK


def _number(sample: Sample) -> int:
    return round(sample.mean * sample.number)


def _by_chance(now: int, of_now: int, before: int, of_before: int) -> float:
    """Return how likely so many or more of those that have it are among the new ones, if it is all the same."""
    have = now + before
    likely = comb(of_now, now) * comb(of_before, before) / comb(of_now + of_before, have)
    total = likely
    for each in range(now, min(of_now, have)):  # each from the one before it, as both go with factorials
        likely *= (of_now - each) * (have - each) / ((each + 1) * (of_before - have + each + 1))
        total += likely
    return total


def _freedom(of_now: float, now: int, of_before: float, before: int) -> float:
    """Return the degrees of freedom by Welch and Satterthwaite."""
    spread = of_now**2 / (now - 1) + of_before**2 / (before - 1)
    return (of_now + of_before) ** 2 / spread if spread else float(now + before - 2)


def _critical(freedom: float) -> float:
    """Return the quantile of Student's t at this look's share, by its expansion (Abramowitz and Stegun, 26.7.5)."""
    first = (_Z**3 + _Z) / (4 * freedom)
    second = (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / (96 * freedom**2)
    third = (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / (384 * freedom**3)
    return _Z + first + second + third
