"""What of a run's limits a child may have: never more than the run has left itself."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from agentops.engine.state import Limits, RunState


class Lacking(NamedTuple):
    """A unit of which there is too little."""

    unit: str
    left: str
    needed: str


def least_of(first: Limits, second: Limits) -> Limits:
    """Return the smaller of each unit."""
    return Limits(
        min(first.steps, second.steps),
        min(first.tokens, second.tokens),
        min(first.usd, second.usd),
        min(first.seconds, second.seconds),
    )


def find_lacking(state: RunState, share: Limits) -> Sequence[Lacking]:
    """Return of which units a run has too little left for a share, others that are going counted."""
    gone, limits = state.committed, state.limits
    left = {
        "steps": Decimal(limits.steps - gone.steps),
        "tokens": Decimal(limits.tokens - gone.tokens),
        "usd": limits.usd - gone.usd,
        "seconds": Decimal(limits.seconds - gone.worked_ms // 1000),
    }
    wanted = {unit: Decimal(getattr(share, unit)) for unit in left}
    return [Lacking(unit, str(left[unit]), str(wanted[unit])) for unit in left if wanted[unit] > left[unit]]
