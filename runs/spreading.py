"""Spreading wake-ups: ten thousand runs that are due in the same second are not driven in the same second.

Only where no time is promised to the second (an expiry, a rest after a fault), and never earlier than due. By how much
a run is put off is taken from its id, which is random at its end: the same each time, and different for each run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

SHARE = 0.1  # of the wait
MOST = timedelta(seconds=30)
_DIGITS = 8


def put_off(due: datetime, now: datetime, run: UUID) -> datetime:
    """Return when a run is woken that is due then: that moment, or later by up to a tenth of the wait, 30 s at most."""
    most = min(max(timedelta(), due - now) * SHARE, MOST)
    return due + most * (int(run.hex[-_DIGITS:], 16) / float(16**_DIGITS))
