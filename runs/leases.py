"""The leases that this process holds, and the heartbeat that renews them by the database's clock."""

from __future__ import annotations

import logging
import os
import socket
import threading
from uuid import UUID

import psycopg
from django.conf import settings
from psycopg_pool import PoolTimeout

from agentops.database import borrowed
from runs import journal

logger = logging.getLogger(__name__)


class Leases:
    """Every run this process drives, by epoch. One thread renews them all in one statement."""

    def __init__(self) -> None:
        self._held: dict[UUID, int] = {}
        self._lock = threading.Lock()
        self._beating: threading.Thread | None = None
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self.stopping = threading.Event()

    def hold(self, run: UUID, epoch: int) -> None:
        with self._lock:
            self._held[run] = epoch
            if self._beating is None or not self._beating.is_alive():
                self._beating = threading.Thread(target=self._beat, name="lease-heartbeat", daemon=True)
                self._beating.start()

    def drop(self, run: UUID, epoch: int) -> None:
        with self._lock:
            if self._held.get(run) == epoch:
                del self._held[run]

    def holds(self, run: UUID, epoch: int) -> bool:
        """Return whether the lease was still ours at the last heartbeat."""
        return self._held.get(run) == epoch

    def _beat(self) -> None:
        while not self.stopping.wait(settings.LEASE_S / 3):
            with self._lock:
                held = list(self._held.items())
                if not held:
                    self._beating = None
                    return
            self._renew(held)

    def _renew(self, held: list[tuple[UUID, int]]) -> None:
        try:
            with borrowed() as connection, connection.cursor() as cursor:
                kept = journal.renew_leases(cursor, held, settings.LEASE_S)
        except (
            psycopg.Error,
            PoolTimeout,
        ) as error:  # the next beat tries again; the fence decides meanwhile
            logger.warning("leases were not renewed: %s", error)
            return
        for run, epoch in held:
            if run not in kept:
                logger.warning("run %s is driven by somebody else now", run)
                self.drop(run, epoch)


_leases: dict[int, Leases] = {}


def leases() -> Leases:
    """Return this process's leases (a forked child holds none of its parent's)."""
    process = os.getpid()
    if process not in _leases:
        _leases.setdefault(process, Leases())
    return _leases[process]
