"""What an agent could do at worst, read from its grants, its tools and its budgets as they stand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from django.utils import timezone

from agentops.errors import ValidationFailed
from identities.models import AgentIdentity
from runs.catalogues import find_offered, read_catalogue
from runs.models import AgentVersion, Budget
from runs.worst_case import BlastRadius, ToolTerms, assess_worst_case
from tools.calls import CREDENTIAL
from tools.caps import Cap, parse_caps
from tools.in_force import read_grants, read_latest, read_permitting
from tools.models import (
    Tool,
    ToolGrant,
    ToolGroupObjectPermission,
    ToolUserObjectPermission,
    ToolVersion,
)

APPROVES = "approve_calls"


def read_blast_radius(agent: AgentIdentity) -> BlastRadius:
    """Return what the agent's grants in force leave room for, whether or not it may act just now.

    A tool is judged by the version that the published agent version offers, or else by its latest; by the newest
    agent version if none is published.
    """
    version = find_offered(agent)
    budgets = Budget.objects.filter(Q(identity=agent) | Q(team=agent.team_id, identity=None))
    ceilings = budgets.exclude(max_usd=None).values_list("window", "max_usd")
    tools = sorted(_read_terms(agent, version), key=lambda terms: terms.tool)
    bounds = [(window, usd) for window, usd in ceilings if usd is not None]
    return assess_worst_case(tools, bounds, version.max_usd if version else None)


def _read_terms(agent: AgentIdentity, version: AgentVersion | None) -> Iterator[ToolTerms]:
    now = timezone.now()
    grants = [grant for grant in read_permitting(agent) if _is_standing(grant, now)]
    offered = {each.tool_id: each for each in read_catalogue(version)} if version else {}
    latest = read_latest(grant.tool_id for grant in read_grants(agent))
    approvers = _read_approvers([grant.tool for grant in grants], agent)
    for grant in grants:
        tool, caps = offered.get(grant.tool_id) or latest.get(grant.tool_id), _readable_caps(grant)
        if tool is not None and caps is not None:
            waived = _is_waived(grant, tool)
            yield ToolTerms(
                tool=grant.tool.name,
                effect=tool.effect,
                decision=grant.decision,
                caps=caps,
                over_caps=grant.over_caps,
                waived=waived,
                moves_money=bool(tool.amount_argument),
                currency=tool.currency,
                approvers=tuple(sorted(approvers[grant.tool_id])),
                secret=str(tool.config.get(CREDENTIAL, "")),
                offered=grant.tool_id in offered,
            )


def _is_standing(grant: ToolGrant, now: datetime) -> bool:
    return grant.tool.state != "retired" and (grant.valid_until is None or grant.valid_until > now)


def _readable_caps(grant: ToolGrant) -> tuple[Cap, ...] | None:
    """Return the caps, None where policy denies because it cannot read them."""
    try:
        return parse_caps(grant.caps)
    except ValidationFailed:
        return None


def _is_waived(grant: ToolGrant, tool: ToolVersion) -> bool:
    """Return whether a waiver may count; whether its signers are still there only makes it less."""
    end = grant.waiver_expires_at
    return end is not None and end > timezone.now() and grant.waived_version_digest == tool.digest


def _read_approvers(tools: list[Tool], agent: AgentIdentity) -> dict[UUID, set[str]]:
    """Return who is asked about each tool's calls: people by name, and groups."""
    found: dict[UUID, set[str]] = defaultdict(set)
    rows = {"content_object__in": tools, "permission__codename": APPROVES}
    people = ToolUserObjectPermission.objects.filter(**rows, user__is_active=True, user__kind="person")
    named = people.exclude(user=agent.owner_id).values_list("content_object", "user__username")
    groups = ToolGroupObjectPermission.objects.filter(**rows)
    as_groups = groups.values_list("content_object", Concat(Value("group "), F("group__name")))
    for tool, name in named.union(as_groups):
        found[tool].add(name)
    return found
