"""What a run is started within, for good: the run on whose behalf it acts, and limits of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agentops.errors import PolicyDenied, StateConflict
from identities.models import DEEPEST, AgentIdentity, Principal, User
from runs.models import AgentVersion, Run
from runs.policies import may_control
from tools.limits import check_limits

Line = list[dict[str, Any]]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a run keeps of them: its parent, the line of all whom it acts for (the nearest first), its own limits."""

    parent: Run | None = None
    line: Line = field(default_factory=list)
    limits: dict[str, Any] | None = None  # Any: JSON


def bind(
    *,
    actor: User,
    agent: AgentIdentity,
    version: AgentVersion,
    principal: Principal,
    parent: Run | None,
    limits: Mapping[str, Any] | None,  # Any: JSON
) -> Bounds:
    """Return the bounds of a run that is about to start; the parent is held until the commit.

    Raises PolicyDenied or StateConflict for a parent that it may not act for, ValidationFailed for limits that
    cannot be kept.
    """
    kept = check_own(version, limits)
    if parent is None:
        return Bounds(limits=kept)
    held = hold_parent(parent.pk)
    may_control(actor, held).enforce()
    return bind_to(held, agent, principal, kept)


def hold_parent(parent_id: UUID) -> Run:
    """Return a run that another is to act for, held until the commit."""
    return Run.objects.select_for_update(no_key=True, of=("self",)).get(pk=parent_id)


def bind_to(held: Run, agent: AgentIdentity, principal: Principal, kept: dict[str, Any] | None) -> Bounds:
    """Return the bounds of a run that is to act for one that is held, with the limits that it keeps (any JSON).

    Raises PolicyDenied or StateConflict for a parent that it may not act for.
    """
    _check_parent(held, agent, principal)
    line = [_link(held), *held.line]
    if any(link["identity"] == str(agent.pk) for link in line):
        raise PolicyDenied("delegation_cycle", "an agent does not act on behalf of itself")
    if len(line) >= DEEPEST:
        raise PolicyDenied(
            "delegation_too_deep", f"authority is passed on to {DEEPEST} agents in line at most"
        )
    return Bounds(held, line, kept)


def describe_bounds(run: Run) -> dict[str, Any]:  # Any: JSON
    """Return what a run is started within as facts; nothing where there are no bounds."""
    facts: dict[str, Any] = {"parent": str(run.parent_id)} if run.parent_id else {}
    return {**facts, "tool_limits": run.limits} if run.limits is not None else facts


def check_own(version: AgentVersion, limits: Mapping[str, Any] | None) -> dict[str, Any] | None:  # Any: JSON
    """Return limits as a run of a version keeps them; raises ValidationFailed for those that cannot be kept."""
    if limits is None:
        return None
    versions = {found.tool.name: found for found in version.catalogue.select_related("tool")}
    return check_limits(limits, versions)


def _check_parent(parent: Run, agent: AgentIdentity, principal: Principal) -> None:
    if parent.has_ended:
        raise StateConflict("parent_ended", f"the run that it would act for is {parent.state}")
    if parent.team_id != agent.team_id:
        raise PolicyDenied("another_team", "authority stays within a team")
    if parent.principal_id != principal.pk:
        raise PolicyDenied(
            "another_principal", "a run acts for the same user as the one on whose behalf it acts"
        )


def _link(run: Run) -> dict[str, Any]:  # Any: JSON
    return {"run": str(run.pk), "identity": str(run.identity_id), "limits": run.limits}
