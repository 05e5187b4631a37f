"""A machine that sleeps: the clocks that stand still meanwhile stand still here, the others have gone on."""

from __future__ import annotations

import time

import pytest

needs_a_clock_that_goes_on = pytest.mark.skipif(
    not hasattr(time, "CLOCK_BOOTTIME"), reason="this system has no clock that counts suspended time"
)


def suspend_machine(monkeypatch: pytest.MonkeyPatch, seconds: float = 3600.0) -> None:
    """Let the machine awake after so many seconds."""
    read = time.clock_gettime
    monkeypatch.setattr(
        time, "clock_gettime", lambda clock: read(clock) + seconds * (clock == time.CLOCK_BOOTTIME)
    )
