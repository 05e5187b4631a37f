"""How much of what an agent may do it really does: read from its recorded calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.utils import timezone

from identities.models import AgentIdentity
from tools.models import ToolGrant

DAYS = 30
# Of an agent's newest runs, where somebody only looks: a page takes as long however many runs there have been.
MOST_RUNS = 1_000
# Calls that went out, or would have if a person had said yes: what a smaller set of grants would have denied.
_USE = """
SELECT agent.id, v.tool_id, count(*), count(DISTINCT c.run_id), max(c.proposed_at)
FROM unnest(%(agents)s::uuid[]) AS agent(id)
    CROSS JOIN LATERAL (
        SELECT id FROM runs_run WHERE identity_id = agent.id ORDER BY id DESC LIMIT %(newest)s) AS r
    JOIN runs_tool_call c ON c.run_id = r.id AND c.proposed_at > %(since)s
    JOIN tools_toolversion v ON v.id = c.tool_version_id
GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class GrantUse:
    """A grant with its calls of the last days: without it these would have been denied."""

    grant: ToolGrant
    calls: int = 0
    runs: int = 0
    last_at: datetime | None = None


def read_use(
    agents: Iterable[AgentIdentity], days: int = DAYS, *, newest: int | None = None
) -> list[GrantUse]:
    """Return the grants in force that permit something to these agents, those used least first.

    ``newest``: calls of so many of each agent's runs count, the newest; None: of all of them.
    """
    ids = [agent.pk for agent in agents]
    grants = ToolGrant.objects.permitting(AgentIdentity.objects.filter(pk__in=ids)).select_related("tool")
    return find_use(grants, days, newest)


def find_use(grants: Iterable[ToolGrant], days: int = DAYS, newest: int | None = None) -> list[GrantUse]:
    """Return how these grants are used, those used least first."""
    grants = list(grants)
    used = _read_calls(
        list({grant.identity_id for grant in grants}), timezone.now() - timedelta(days=days), newest
    )
    found = [GrantUse(grant, *used.get((grant.identity_id, grant.tool_id), ())) for grant in grants]
    return sorted(found, key=lambda use: (use.calls, use.grant.tool.name))


def _read_calls(
    agents: list[UUID], since: datetime, newest: int | None
) -> dict[tuple[UUID, UUID], tuple[int, int, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(_USE, {"agents": agents, "since": since, "newest": newest})
        return {(agent, tool): (calls, runs, last) for agent, tool, calls, runs, last in cursor.fetchall()}
