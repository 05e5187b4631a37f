"""An agent comes back only with its guardrails: while it was stopped, no start of production looked at it."""

from __future__ import annotations

from agentops.errors import ValidationFailed
from identities.models import AgentIdentity
from runs.models import AgentVersion
from runs.preflight.versions import check_published


def refuse_unsafe_activation(agent: AgentIdentity) -> None:
    """Raise ValidationFailed (preflight_failed) with what would keep production from starting with this agent."""
    for version in AgentVersion.objects.filter(identity=agent, state="published").select_related("identity"):
        findings = check_published(version)
        if findings:
            lacking = "; ".join(f"{finding.subject}: {finding.problem}" for finding in findings)
            detail = f"{version} lacks a guardrail: put it right, or retire the version first. {lacking}"
            raise ValidationFailed("preflight_failed", detail, problems=findings)
