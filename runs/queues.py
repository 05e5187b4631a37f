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
from uuid import UUID

from agentops.database import borrowed
from agentops.messages import QUEUES, count_waiting, send_now
from runs.models import Priority, Run
from runs.turns_of_teams import read_urgencies

DRIVE = "runs.drive"
LOOK_S = 0.25  # the broker is asked so often, by a process, not by each of its drivers
_QUEUES = {Priority.LOW: "bulk", Priority.NORMAL: "normal", Priority.HIGH: "high"}

RUN_QUEUES = frozenset(_QUEUES.values())


def queue_of(priority: int) -> str:
    """Return the queue of runs of this priority."""
    return _QUEUES[Priority(priority)]


def queue_of_run(run: UUID) -> str:
    """Return the queue of a run's messages."""
    return queue_of(Run.objects.values_list("priority", flat=True).get(pk=run))


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


def is_anybody_waiting(priority: int) -> bool:
    """Return whether messages wait that are as urgent as a run of this priority, or more."""
    return count_waiting(*QUEUES[: QUEUES.index(queue_of(priority)) + 1]) > 0


class Room:
    """The room that the drivers of one process make for what is more urgent: a thread for each message, no more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due_at: dict[int, float] = {}
        self._asked: dict[int, int] = {}

    def is_asked(self, priority: int) -> bool:
        """Return whether the driver of a run of this priority should hand it on, so that its thread is free."""
        if self._is_due(priority):
            waiting = count_waiting(*QUEUES[: QUEUES.index(queue_of(priority))])
            with self._lock:
                self._asked[priority], self._due_at[priority] = waiting, time.monotonic() + LOOK_S
        with self._lock:
            asked = self._asked.get(priority, 0)
            self._asked[priority] = max(0, asked - 1)
            return asked > 0

    def _is_due(self, priority: int) -> bool:
        """Return whether it is this driver that looks; meanwhile all others go on by what was seen last."""
        with self._lock:
            is_due = time.monotonic() >= self._due_at.get(priority, 0.0)
            if is_due:
                self._due_at[priority] = math.inf
            return is_due


_room = Room()
is_asked = _room.is_asked
