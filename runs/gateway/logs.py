"""What happens to a call, as log messages for a client that asks for them: the sentences that its trace has.

It is the platform's own log. From 2026-07-28 on each request says its level. Before, a client set one for its
session; as no session is kept here, it counts for this agent and this user, for an hour.
"""

from __future__ import annotations

from typing import Any, get_args

import mcp_types as types
from django.core.cache import cache
from mcp.server.context import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from redis import RedisError

from agentops.errors import StateConflict
from identities.oauth.bearers import Delegate
from runs.models import ReceivedCall
from runs.trace_titles import lane_of

Context = ServerRequestContext[Any, Any]  # Any: nothing lives as long as the server; the transport's request

KEPT_S = 3_600
LEVELS: tuple[types.LoggingLevel, ...] = get_args(types.LoggingLevel)  # the mildest first


def keep_level(caller: Delegate, level: types.LoggingLevel) -> None:
    """Keep from which level on a client wants to hear; raises StateConflict where that cannot be remembered."""
    try:
        cache.set(_name(caller), level, KEPT_S)
    except RedisError:
        raise StateConflict("logs_unavailable", "the level cannot be kept at the moment") from None


def read_level(caller: Delegate) -> str:
    """Return what was kept, empty for nothing: whoever cannot be asked is told nothing."""
    try:
        return str(cache.get(_name(caller), ""))
    except RedisError:
        return ""


def asked_level(context: Context, caller: Delegate) -> str:
    """Return from which level on this request's client wants to hear, empty for not at all."""
    if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return str((context.meta or {}).get(types.LOG_LEVEL_META_KEY, ""))
    return read_level(caller)


def write_log(
    received: ReceivedCall, kind: str, sentence: str, asked: str
) -> types.LoggingMessageNotification | None:
    """Return the message about an entry of a call's trace, None below the level that was asked for."""
    level: types.LoggingLevel = "warning" if lane_of(kind) == "broke" else "info"
    if asked not in LEVELS or LEVELS.index(level) < LEVELS.index(asked):
        return None
    told = {"message": sentence, "run": str(received.run_id), "call": received.number}
    params = types.LoggingMessageNotificationParams(level=level, logger="agentops", data=told)
    return types.LoggingMessageNotification(params=params)


def _name(caller: Delegate) -> str:
    application = caller.application.pk if caller.application else ""
    return f"gateway:log:{caller.agent.pk}:{caller.principal.pk}:{application}"
