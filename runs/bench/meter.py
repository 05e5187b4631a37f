"""Meters: CPU and memory of processes from /proc, and what PostgreSQL counted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")

_COUNTERS = """
SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint,
    (SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()),
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
    (SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'ledger_stream'),
    (SELECT count(*) FROM runs_run WHERE ended_at IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Counters:
    """``transactions`` counts reads too, ``commits`` only what wrote; ``appends`` each move the head of one stream."""

    wal_bytes: int
    transactions: int
    commits: int
    appends: int
    ended: int


def read_counters() -> Counters:
    """Return the database's counters; backends report theirs with a delay, or when they leave."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTERS)
        return Counters(*cursor.fetchone())


def cpu_ms(roots: Iterable[int]) -> float:
    """Return the CPU time in ms of these processes with all their living and reaped children."""
    trees = _children()
    waiting, total = list(roots), 0.0
    while waiting:
        pid = waiting.pop()
        waiting += trees.get(pid, [])
        total += _own_ticks(pid)
    return total * TICK_MS


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def _stat(pid: int) -> list[str]:
    """Return the fields after the name, which may hold blanks: state, parent, …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _own_ticks(pid: int) -> int:
    fields = _stat(pid)
    return sum(int(ticks) for ticks in fields[11:15])  # utime, stime, and those of reaped children


def memory_kb(roots: Iterable[int]) -> int:
    """Return the resident memory in KB of these processes, without their children."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in roots]
    return sum(pages) * os.sysconf("SC_PAGESIZE") // 1024


def postmaster() -> int:
    """Return the process id of the database server that this machine runs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    return int(_stat(backend)[1])


def settle_statistics() -> None:
    """Wait until backends that have just left are counted."""
    time.sleep(1.5)
