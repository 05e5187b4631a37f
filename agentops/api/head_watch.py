"""Waiting for ledger streams to move, without a connection per listener.

One query every quarter of a second asks for the heads of all streams that anybody in this process waits
for. Its cost does not grow with the number of listeners, and a process nobody listens to asks nothing.
(LISTEN would need a connection held for ever, and a NOTIFY in the driver's hottest statement.)
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from agentops.database import borrowed

POLL_S = 0.25


@dataclass(eq=False)
class _Listener:
    stream: UUID
    seq: int
    moved: asyncio.Future[None]


@dataclass
class HeadWatch:
    """The listeners of one event loop, and the task that asks for them."""

    _listeners: set[_Listener] = field(default_factory=set)
    _asking: asyncio.Task[None] | None = None

    async def wait_beyond(self, stream: UUID, seq: int, timeout_s: float) -> bool:
        """Return True when the stream has an entry after `seq`, False when the time is up.

        Raises what the database raised when it could not be asked.
        """
        listener = _Listener(stream, seq, asyncio.get_running_loop().create_future())
        self._listeners.add(listener)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        try:
            async with asyncio.timeout(timeout_s):
                await listener.moved
        except TimeoutError:
            return False
        finally:
            self._listeners.discard(listener)
        return True

    async def _ask(self) -> None:
        while self._listeners:
            try:
                heads = await asyncio.to_thread(_read_heads, {each.stream for each in self._listeners})
            except Exception as error:  # a boundary: every listener is told, and its client comes back
                self._tell_all(error)
                return
            for listener in self._listeners:
                if heads.get(listener.stream, 0) > listener.seq and not listener.moved.done():
                    listener.moved.set_result(None)
            await asyncio.sleep(POLL_S)

    def _tell_all(self, error: Exception) -> None:
        for listener in self._listeners:
            if not listener.moved.done():
                listener.moved.set_exception(error)


_watches: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, HeadWatch] = weakref.WeakKeyDictionary()


def head_watch() -> HeadWatch:
    """Return the watch of the running event loop."""
    return _watches.setdefault(asyncio.get_running_loop(), HeadWatch())


def _read_heads(streams: Iterable[UUID]) -> dict[UUID, int]:
    with borrowed() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, head_seq FROM ledger_stream WHERE id = ANY(%s)", [list(streams)])
        return dict(cursor.fetchall())
