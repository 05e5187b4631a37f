"""Waiting for a call of an agent outside to end: without a connection, a lease or a thread."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from agentops.api.head_watch import head_watch
from agentops.database import borrowed, orm_section
from agentops.ledger.store import read_head
from runs.gateway.answers import Answer, look
from runs.models import ReceivedCall

Told = TypeVar("Told")


async def ask_database(verb: Callable[[], Told]) -> Told:
    """Call a verb in a thread and a transaction of its own."""
    return await asyncio.to_thread(_in_section, verb)


def _in_section(verb: Callable[[], Told]) -> Told:
    with orm_section():
        return verb()


async def silence() -> None:
    """Tell nobody anything."""


async def wait_for_answer(
    received: ReceivedCall, *, for_people: bool, tell: Callable[[], Awaitable[None]] = silence
) -> Answer:
    """Return how the call ended, or stands once GATEWAY_WAIT_S are up; for people only who asks again waits.

    ``tell`` is awaited whenever something may have happened to the call.
    """
    until = time.monotonic() + settings.GATEWAY_WAIT_S
    while True:
        seq = await asyncio.to_thread(read_seq, received.run_id)
        answer = await ask_database(lambda: look(received))
        await tell()
        left = until - time.monotonic()
        if answer.is_settled or left <= 0 or (answer.status == "waiting" and not for_people):
            return answer
        await head_watch().wait_beyond(received.run_id, seq, left)


def read_seq(run_id: UUID) -> int:
    """Return how far a run's stream has come."""
    with borrowed() as connection, connection.cursor() as cursor:
        return read_head(cursor, run_id).seq
