"""The clock of leases: how long one lasts, and until when an effect may be started."""

from __future__ import annotations

import time

# Goes on while the machine is suspended, as the database's clock does; a system without it has none such.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def lease_clock_s() -> float:
    """Return the seconds since some moment of this machine's past, suspended ones counted."""
    return time.clock_gettime(_CLOCK)
