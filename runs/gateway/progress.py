"""What happens to a call while its client waits, told as progress or log: the sentences of its trace, in their order.

It is the platform's own progress: decided, asked for, sent. A tool's is not passed on, for a tool's answer is read as
a whole, within its limits, before anybody sees any of it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import mcp_types as types
from django.db import connection
from mcp.server.context import ServerRequestContext

from runs.gateway.logs import write_log
from runs.gateway.waiting import ask_database, silence
from runs.models import ReceivedCall
from runs.trace_titles import title_of

Context = ServerRequestContext[Any, Any]  # Any: nothing lives as long as the server; the transport's request

_ENTRIES = """
SELECT seq, kind, facts::text FROM ledger_entry
WHERE stream = %s AND seq > %s AND facts ->> 'step' = %s ORDER BY seq
"""


def narrate(
    context: Context, received: ReceivedCall, tool: str, level: str = ""
) -> Callable[[], Awaitable[None]]:
    """Return what tells a client what is new of its call; nothing to one that has not asked for it.

    ``level`` is from which level on it wants to hear log messages.
    """
    token = (context.meta or {}).get("progress_token")
    if token is None and not level:
        return silence
    told = seen = 0

    async def tell() -> None:
        nonlocal told, seen
        for seq, kind, sentence in await ask_database(partial(_read, received, seen, tool)):
            told, seen = told + 1, seq
            for notification in (_write(token, told, sentence), write_log(received, kind, sentence, level)):
                if notification is not None:
                    await context.session.send_notification(
                        notification, related_request_id=context.request_id
                    )

    return tell


def _write(token: types.ProgressToken | None, told: int, sentence: str) -> types.ProgressNotification | None:
    if token is None:
        return None
    params = types.ProgressNotificationParams(progress_token=token, progress=told, message=sentence)
    return types.ProgressNotification(params=params)


def _read(received: ReceivedCall, after: int, tool: str) -> list[tuple[int, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, (received.run_id, after, str(received.number)))
        return [
            (seq, kind, title_of(kind, json.loads(facts), tool)) for seq, kind, facts in cursor.fetchall()
        ]
