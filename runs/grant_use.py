"""How much of what an agent may do it really does: read from its recorded calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from identities.models import AgentIdentity
from tools.models import ToolGrant

DAYS = 30
# Calls that went out, or would have if a person had said yes: what a smaller set of grants would have denied.
_USE = """
SELECT v.tool_id, count(*), count(DISTINCT c.run_id), max(c.proposed_at)
FROM tools_toolversion v JOIN runs_tool_call c ON c.tool_version_id = v.id AND c.proposed_at > %s
    JOIN runs_run r ON r.id = c.run_id AND r.identity_id = %s
WHERE v.tool_id = ANY(%s) GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class GrantUse:
    """A grant with its calls of the last days: without it these would have been denied."""

    grant: ToolGrant
    calls: int = 0
    runs: int = 0
    last_at: datetime | None = None


def read_use(agent: AgentIdentity, days: int = DAYS) -> list[GrantUse]:
    """Return the grants in force that permit something, those used least first."""
    grants = ToolGrant.objects.permitting(AgentIdentity.objects.filter(pk=agent.pk)).select_related("tool")
    used = _read_calls(agent, [grant.tool_id for grant in grants], timezone.now() - timedelta(days=days))
    found = [GrantUse(grant, *used.get(grant.tool_id, ())) for grant in grants]
    return sorted(found, key=lambda use: (use.calls, use.grant.tool.name))


def _read_calls(
    agent: AgentIdentity, tools: list[UUID], since: datetime
) -> dict[UUID, tuple[int, int, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(_USE, [since, agent.pk, tools])
        return {tool: (calls, runs, last_at) for tool, calls, runs, last_at in cursor.fetchall()}
