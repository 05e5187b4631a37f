"""The leases that this process holds, and the heartbeat that renews them by the database's clock."""

from __future__ import annotations

import logging
import mmap
import os
import socket
import threading
import time
from dataclasses import dataclass
from uuid import UUID

import psycopg
from django.conf import settings
from psycopg_pool import PoolTimeout

from agentops.clock import lease_clock_s
from agentops.database import borrowed, discard_broken, is_unreachable
from runs import lease_rows

logger = logging.getLogger(__name__)
BEAT_TRIES = 3  # at once; a server that is gone for longer is asked again by the next beat


class SharedFlag:
    """A flag that forked children share: only the main process of a worker is told that it should stop."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, 1)

    def set(self) -> None:
        self._page[0] = 1

    def is_set(self) -> bool:
        return self._page[0] == 1


@dataclass(frozen=True, slots=True)
class Hold:
    """One lease, and the time on its clock until which it surely lasts."""

    epoch: int
    until: float


class Leases:
    """Every run this process drives, by epoch. One thread renews them all in one statement."""

    def __init__(self) -> None:
        self._held: dict[UUID, Hold] = {}
        self._lock = threading.Lock()
        self._beating: threading.Thread | None = None
        self.owner = f"{socket.gethostname()}:{os.getpid()}"

    def hold(self, run: UUID, epoch: int, *, asked_at: float) -> None:
        """Keep a lease that was asked for at this time on its clock."""
        with self._lock:
            self._held[run] = Hold(epoch, asked_at + settings.LEASE_S)
            if self._beating is None or not self._beating.is_alive():
                self._beating = threading.Thread(target=self._beat, name="lease-heartbeat", daemon=True)
                self._beating.start()

    def drop(self, run: UUID, epoch: int) -> None:
        with self._lock:
            if self._is(run, epoch):
                del self._held[run]

    def holds(self, run: UUID, epoch: int) -> bool:
        """Return whether the lease is surely still ours: a process that was stopped for a while cannot know."""
        return self.until(run, epoch) is not None

    def until(self, run: UUID, epoch: int) -> float | None:
        """Return the time on its clock until which the lease surely lasts; None if it is not surely ours."""
        held = self._held.get(run)
        if held is None or held.epoch != epoch or lease_clock_s() >= held.until:
            return None
        return held.until

    def _is(self, run: UUID, epoch: int) -> bool:
        held = self._held.get(run)
        return held is not None and held.epoch == epoch

    def _beat(self) -> None:
        # Also while the worker stops: the calls that are under way need their leases to their end.
        while True:
            time.sleep(settings.LEASE_S / 3)
            with self._lock:
                held = [(run, hold.epoch) for run, hold in self._held.items()]
                if not held:
                    self._beating = None
                    return
            self._renew(held)

    def _renew(self, held: list[tuple[UUID, int]]) -> None:
        """Renew at once past connections that a restarted server left broken: beats are few in a lease."""
        for number in range(BEAT_TRIES):
            try:
                if number:
                    discard_broken()
                self._ask(held)
            except psycopg.Error as error:  # the next beat tries again; the fence decides meanwhile
                logger.warning("leases were not renewed: %s", error)
                if isinstance(error, PoolTimeout) or not is_unreachable(error):
                    return
            else:
                return

    def _ask(self, held: list[tuple[UUID, int]]) -> None:
        asked_at = lease_clock_s()
        with borrowed() as connection, connection.cursor() as cursor:
            kept = lease_rows.renew_leases(cursor, held, settings.LEASE_S)
        for run, epoch in held:
            if run not in kept:
                logger.warning("run %s is driven by somebody else now", run)
                self.drop(run, epoch)
            elif kept[run]:
                self._prolong(run, epoch, asked_at)

    def _prolong(self, run: UUID, epoch: int, asked_at: float) -> None:
        with self._lock:
            if self._is(run, epoch):
                self._held[run] = Hold(epoch, asked_at + settings.LEASE_S)


stopping = SharedFlag()  # made before a pool forks
_leases: dict[int, Leases] = {}


def leases() -> Leases:
    """Return this process's leases (a forked child holds none of its parent's)."""
    process = os.getpid()
    if process not in _leases:
        _leases.setdefault(process, Leases())
    return _leases[process]
