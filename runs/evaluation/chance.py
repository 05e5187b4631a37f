"""Whether two samples, case by case, differ by more than repetition alone explains. The same samples say the same.

A permutation test: if the version makes no difference, each run of a case may as well have been the other version's.
So within each case the runs are dealt out anew, many times, and it is counted how often the sums differ as much. It
takes no shape of the figures for granted, and cases with large figures do not hide what happens in the small ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

LEVEL = 0.05  # of differences that there are not, at most this share is called more than chance
DEALS = 1_000
_SEED = 20_261_201  # one, so that the same results are always told in the same words
_ALIKE = 1e-9  # what adding in another order makes of the same numbers

Values = Sequence[float]


def by_chance(pairs: Sequence[tuple[Values, Values]]) -> float:
    """Return how likely a difference as large as this is if there is none; 1 where nothing could tell.

    Each pair are the figures of one case: of the one version's runs, and of the other's. What a mean says of a case
    counts the same however often the case was run.
    """
    told = [(list(one), list(other)) for one, other in pairs if one and other]
    seen = abs(sum(_difference([*one, *other], len(one)) for one, other in told))
    if not told or seen <= _ALIKE:
        return 1.0
    draw = Random(_SEED)  # noqa: S311  deals cards, keeps no secret
    pools = [([*one, *other], len(one)) for one, other in told]
    as_large = sum(abs(_deal(pools, draw)) >= seen - _ALIKE for _ in range(DEALS))
    return (as_large + 1) / (DEALS + 1)


def _deal(pools: Sequence[tuple[list[float], int]], draw: Random) -> float:
    return sum(_difference(draw.sample(pool, len(pool)), first) for pool, first in pools)


def _difference(pool: Sequence[float], first: int) -> float:
    """Return by how much the mean of the rest is above that of the first so many."""
    return sum(pool[first:]) / (len(pool) - first) - sum(pool[:first]) / first
