"""An agent's grants and its tools' newest versions, as a page that tells of them in several places reads them: once."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from agentops.look_once import look_once
from identities.models import AgentIdentity
from tools.models import ToolGrant, ToolVersion


def read_grants(agent: AgentIdentity) -> list[ToolGrant]:
    """Return an agent's grants in force, denials included, by the tool's name."""
    active = ToolGrant.objects.filter(identity=agent, state=ToolGrant.State.ACTIVE)
    rows = active.select_related("tool", "waived_by", "countersigned_by").order_by("tool__name")
    return look_once(("grants", agent.pk), lambda: list(rows))


def read_permitting(agent: AgentIdentity) -> list[ToolGrant]:
    """Return those by which the agent may do something."""
    return [grant for grant in read_grants(agent) if grant.decision != ToolGrant.Decision.DENY]


def read_latest(tools: Iterable[UUID]) -> dict[UUID, ToolVersion]:
    """Return the newest version of each tool."""
    ids = frozenset(tools)
    rows = ToolVersion.objects.filter(tool__in=ids).order_by("tool_id", "-number").distinct("tool_id")
    return look_once(("latest", ids), lambda: {version.tool_id: version for version in rows})
