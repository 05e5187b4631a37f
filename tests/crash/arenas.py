"""Arenas for tests: durable servers of their own, thrown away with whatever was started on them."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from agentops.runtime import application
from agentops.runtime.services import temporary_stack
from runs.chaos.arena import WORKERS, Arena, Timing
from runs.chaos.client import Client
from runs.chaos.work import draw_order

# An arena in which nothing is taken over because a lease ran out: whoever goes on was told to.
LASTING = Timing(lease_s=600.0, slice_s=600.0)
PATIENCE_S = 60.0
_numbers = itertools.count(1)


@contextmanager
def open_arena(
    *,
    timing: Timing | None = None,
    celery: Sequence[str] = application.CELERY,
    pool: str = "threads",
    workers: int = WORKERS,
) -> Iterator[Arena]:
    """Provide an open arena on a stack that vanishes with it."""
    with temporary_stack(durable=True) as stack:
        arena = Arena(stack, timing=timing, celery=celery, pool=pool)
        arena.open(workers=workers)
        yield arena
        arena.abandon()


def start_runs(arena: Arena, count: int) -> list[UUID]:
    """Start runs through the API; return their ids."""
    dice = random.Random(1)
    with Client(arena) as client:
        return [client.start_run(draw_order(next(_numbers), dice)) for _ in range(count)]


def await_rows(arena: Arena, query: str, wanted: list[tuple[object, ...]]) -> None:
    """Wait until a query has the wanted answer."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := arena.read(query)) != wanted:
        assert time.monotonic() < deadline, f"{query}: {found}"
        time.sleep(0.05)


def await_endings(arena: Arena) -> None:
    """Wait until every run has ended; fail if one does not."""
    deadline = time.monotonic() + PATIENCE_S
    while going := arena.count_going():
        assert time.monotonic() < deadline, f"{going} runs have not ended"
        time.sleep(0.1)
