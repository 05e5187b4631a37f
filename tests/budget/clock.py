"""A clock that stands still until a test moves it. The database keeps its own, real one: leases go by that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine


@dataclass(frozen=True)
class Clock:
    """This process's time."""

    traveller: Any  # time_machine types it as one of two classes by platform

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def pass_by(self, **units: float) -> None:
        """Let time pass, in timedelta's units."""
        self.traveller.shift(timedelta(**units))


@contextmanager
def stopped_clock(at: datetime) -> Iterator[Clock]:
    """Stop the clock at a time, which should not lie in the database's future."""
    with time_machine.travel(at, tick=False) as traveller:
        yield Clock(traveller)
