"""Following a task: its standing now, and each other one as it comes, without a connection, a lease or a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from django.conf import settings

from agentops.api.head_watch import head_watch
from agentops.errors import NotFound
from runs.a2a.admitting import Caller
from runs.a2a.standing import Standing, read_standing
from runs.a2a.taking import find_task
from runs.gateway.waiting import ask_database, read_seq

LOOK_AGAIN_S = 15.0  # also where nothing moves: what was withdrawn from the caller ends here, too
STANDS_STILL = frozenset({"INPUT_REQUIRED", "AUTH_REQUIRED"})  # it is somebody's turn who is not the agent


async def look(caller: Caller, run_id: UUID) -> Standing:
    """Return how a task stands; raises NotFound, also once the caller would not be let in any more."""
    return await ask_database(lambda: _look(caller, run_id))


def _look(caller: Caller, run_id: UUID) -> Standing:
    if not caller.still_stands():
        raise NotFound("unknown_task", "there is no such task")
    return read_standing(find_task(caller, str(run_id)))


async def wait(caller: Caller, run_id: UUID) -> Standing:
    """Return how a task stands once it is somebody else's turn, or GATEWAY_WAIT_S are up."""
    until = time.monotonic() + settings.GATEWAY_WAIT_S
    while True:
        seq = await asyncio.to_thread(read_seq, run_id)
        standing = await look(caller, run_id)
        left = until - time.monotonic()
        if standing.is_final or standing.state in STANDS_STILL or left <= 0:
            return standing
        await head_watch().wait_beyond(run_id, seq, left)


async def wait_for_end(caller: Caller, run_id: UUID) -> Standing:
    """Return how a task that is being cancelled stands once it has ended, or GATEWAY_WAIT_S are up."""
    until = time.monotonic() + settings.GATEWAY_WAIT_S
    while True:
        seq = await asyncio.to_thread(read_seq, run_id)
        standing = await look(caller, run_id)
        left = until - time.monotonic()
        if standing.is_final or left <= 0:
            return standing
        await head_watch().wait_beyond(run_id, seq, left)


async def follow(caller: Caller, run_id: UUID) -> AsyncIterator[Standing]:
    """Yield how a task stands, each time that this is something else, until it has ended or its caller has to speak."""
    shown: Standing | None = None
    while True:
        seq = await asyncio.to_thread(read_seq, run_id)
        standing = await look(caller, run_id)
        if shown is None or _differs(standing, shown):
            yield standing
        if standing.is_final or standing.state == "INPUT_REQUIRED":
            return
        shown = standing
        await head_watch().wait_beyond(run_id, seq, LOOK_AGAIN_S)


def _differs(one: Standing, other: Standing) -> bool:
    return (one.state, one.words, one.required) != (other.state, other.words, other.required)
