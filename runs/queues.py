"""Which queue a run's messages go to, and when the driver of one makes room for others that are more urgent.

The queue is that of the run's priority; ``critical`` is for the sweeper, and for what people do to a run. Workers
take from the queues in order, so a worker that has a thread to spare begins what is most urgent. One whose threads are
all taken begins nothing: therefore a driver looks, between two commands, whether what is more urgent waits.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable
from functools import partial
from uuid import UUID

from agentops.database import borrowed
from agentops.messages import QUEUES, count_waiting, send_now
from runs.models import Priority
from runs.turns_of_teams import read_urgencies

DRIVE = "runs.drive"
LOOK_S = 0.25  # the broker is asked so often, by a process, not by each of its drivers
_QUEUES = {Priority.LOW: "bulk", Priority.NORMAL: "normal", Priority.HIGH: "high"}

RUN_QUEUES = frozenset(_QUEUES.values())


def queue_of(priority: int) -> str:
    """Return the queue of runs of this priority."""
    return _QUEUES[Priority(priority)]


def send_due(runs: Iterable[UUID], *, expires_s: float) -> int:
    """Send each run round on the queue of its priority, or of a higher one the longer it has been due.

    Return how many the broker took before it failed.
    """
    listed = list(runs)
    with borrowed() as connection, connection.cursor() as cursor:
        urgencies = read_urgencies(cursor, listed)
    for number, run in enumerate(listed):
        # The next sweep finds the rest: to wait for a broker that is down, run by run, would take minutes.
        if not send_now(DRIVE, str(run), queue=queue_of(urgencies[run]), expires_s=expires_s):
            return number
    return len(listed)


class Room:
    """The room that the drivers of one process make for others: a thread for each message that waits, no more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due_at: dict[int, float] = {}
        self._asked: dict[int, int] = {}

    def is_asked(self, priority: int, *, also_by_equals: bool = False) -> bool:
        """Return whether the driver of a run of this priority should hand it on, so that its thread is free.

        Who asks for that is more urgent, or ``also_by_equals`` as urgent.
        """
        queues = QUEUES.index(queue_of(priority)) + also_by_equals
        if self._is_due(queues):
            waiting = count_waiting(*QUEUES[:queues])
            with self._lock:
                self._asked[queues], self._due_at[queues] = waiting, time.monotonic() + LOOK_S
        with self._lock:
            asked = self._asked.get(queues, 0)
            self._asked[queues] = max(0, asked - 1)
            return asked > 0

    def _is_due(self, queues: int) -> bool:
        """Return whether it is this driver that looks; meanwhile all others go on by what was seen last."""
        with self._lock:
            is_due = time.monotonic() >= self._due_at.get(queues, 0.0)
            if is_due:
                self._due_at[queues] = math.inf
            return is_due


_room = Room()
is_asked = _room.is_asked
is_turn_over = partial(_room.is_asked, also_by_equals=True)
