"""The breaker's last transition as a row, for people: the shared state itself is in Redis and may be lost."""

from __future__ import annotations

from agentops.database import borrowed
from agentops.engine.breaker import Transition
from tools.calls import ToolSpec

_MIRROR = """
INSERT INTO tools_breakerstate (tool_id, state, changed_at, retry_at, reason)
VALUES (%s, %s, clock_timestamp(), %s, %s)
ON CONFLICT (tool_id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at,
    retry_at = excluded.retry_at, reason = excluded.reason
"""


def record_transition(spec: ToolSpec, transition: Transition) -> None:
    """Note that a tool's breaker has opened or closed."""
    values = (spec.tool_id, transition.after, transition.retry_at, transition.reason)
    with borrowed() as connection:
        connection.execute(_MIRROR, values)
