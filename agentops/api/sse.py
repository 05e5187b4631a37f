"""A ledger stream as server-sent events (WHATWG HTML, 9.2): ``id`` is the entry's seq, ``event`` its kind.

While it waits, a listener holds no database connection: reads borrow one, and waiting is `head_watch`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connection as orm_connection
from django.http import StreamingHttpResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from agentops.api.head_watch import head_watch
from agentops.api.pagination import parse_number
from agentops.api.refusals import ApiError
from agentops.database import borrowed, orm_section
from agentops.ledger.store import StoredEntry, read_entries_for_people

KEEP_ALIVE_S = 15.0
BATCH = 100
CONTENT_TYPE = "text/event-stream; charset=utf-8"

_log = logging.getLogger(__name__)


class EventStreamRenderer(JSONRenderer):
    """Lets a view be asked for an event stream; renders only the problems that take its place."""

    media_type = "text/event-stream"
    format = "sse"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one listener follows.

    `render` turns an entry into the event's data, `is_last` tells the entry that ends the stream.
    `may_go_on` is asked with every read and every keep-alive: access that was withdrawn ends here too.
    """

    stream: UUID
    after: int
    render: Callable[[StoredEntry], dict[str, Any]]  # Any: a JSON document
    is_last: Callable[[StoredEntry], bool]
    may_go_on: Callable[[], bool]


def read_last_event_id(request: Request) -> int:
    """Return the seq behind which to go on: Last-Event-ID, or the parameter ``after``, else 0.

    Raises ApiError 400 when one of them is no seq.
    """
    given = (request.headers.get("Last-Event-ID"), request.query_params.get("after"))
    try:
        seqs = [parse_number(each) for each in given if each is not None]
    except ValueError:
        detail = "Last-Event-ID and after name the seq of an event."
        raise ApiError(400, "invalid_parameter", detail) from None
    return seqs[0] if seqs else 0


def respond_with_events(subscription: Subscription) -> StreamingHttpResponse:
    """Answer with the events of a subscription, past and coming, until the last one."""
    response = StreamingHttpResponse(follow(subscription), content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"  # nginx would hold events back
    return response


async def follow(subscription: Subscription) -> AsyncIterator[str]:
    """Yield frames until the last event, or until the subscriber may not go on.

    Also ends when the entries cannot be read: a listener without the last event comes back for more.
    """
    # Same thread as the view, whose ORM connection would otherwise stay open as long as the stream.
    await sync_to_async(_give_back_connection)()
    try:
        async for frame in _follow(subscription):
            yield frame
    except Exception:  # a boundary: there is no status left to answer with
        _log.exception("event stream of %s", subscription.stream)


async def _follow(subscription: Subscription) -> AsyncIterator[str]:
    after = subscription.after
    while True:
        entries = await asyncio.to_thread(_read, subscription.stream, after)
        # Asked after reading: nothing that happened after a withdrawal is shown.
        if not await asyncio.to_thread(_is_allowed, subscription):
            return
        for entry in entries:
            yield _frame(entry, subscription.render(entry))
            after = entry.seq
            if subscription.is_last(entry):
                return
        if not entries and not await head_watch().wait_beyond(subscription.stream, after, KEEP_ALIVE_S):
            yield ": keep-alive\n\n"


def _frame(entry: StoredEntry, data: dict[str, Any]) -> str:  # Any: a JSON document
    text = json.dumps(data, separators=(",", ":"))  # escapes line breaks, which would end the field
    return f"id: {entry.seq}\nevent: {entry.kind}\ndata: {text}\n\n"


def _read(stream: UUID, after: int) -> list[StoredEntry]:
    with borrowed() as connection, connection.cursor() as cursor:
        return read_entries_for_people(cursor, stream, after=after, limit=BATCH, contents=True)


def _is_allowed(subscription: Subscription) -> bool:
    with orm_section():
        return subscription.may_go_on()


def _give_back_connection() -> None:
    if not orm_connection.in_atomic_block:
        orm_connection.close()
