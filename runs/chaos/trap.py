"""A trap in a tool server: it holds a request on one side of its effect, so that a kill lands just there."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["before", "after"]
Verdict = Literal["go", "drop", "break"]

# Nothing is held longer than this, whatever becomes of whoever set the trap.
LONGEST_HOLD_S = 30.0
# Whoever repeats a held request is answered this much later than the first.
FOLLOWER_DELAY_S = 0.7


@dataclass
class Hold:
    """A request that is held under its key, and how many repetitions of it have come meanwhile."""

    key: str
    followers: int = 0
    verdict: Verdict = "go"
    released: threading.Event = field(default_factory=threading.Event)


class Trap:
    """Set for one request at a time; the threads that serve requests walk through ``pass_by``."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._set_for: Side | None = None
        self._hold: Hold | None = None

    def catch(self, side: Side, timeout_s: float) -> Hold | None:
        """Wait for the next request on that side of its effect; None when none came in time."""
        with self._changed:
            self._set_for = side
            self._changed.wait_for(lambda: self._hold is not None, timeout_s)
            self._set_for = None
            return self._hold

    def describe(self) -> dict[str, int | bool]:
        """Return whether the trap waits for a request, and how many repetitions of a held one are held too."""
        with self._changed:
            return {
                "is_set": self._set_for is not None,
                "followers": self._hold.followers if self._hold else 0,
            }

    def release(self, verdict: Verdict) -> None:
        """Let the held request go on, drop it as a network would, or answer it as a server does that broke."""
        with self._changed:
            hold, self._hold = self._hold, None
        if hold is not None:
            hold.verdict = verdict
            hold.released.set()

    def pass_by(self, key: str, side: Side) -> Verdict:
        """Walk past the trap with a request; return what is to become of it."""
        with self._changed:
            hold, caught = self._hold, False
            if hold is not None and hold.key == key and side == "before":
                hold.followers += 1
            elif hold is None and self._set_for == side:
                hold, caught = Hold(key), True
                self._hold, self._set_for = hold, None
                self._changed.notify_all()
            else:
                return "go"
        hold.released.wait(LONGEST_HOLD_S)
        if caught:
            return hold.verdict
        time.sleep(FOLLOWER_DELAY_S)
        return "go"
