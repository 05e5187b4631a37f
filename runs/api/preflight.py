"""What keeps an agent from being published, and production from starting."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import read_query, render_row
from agentops.api.views import ApiView
from agentops.errors import PolicyDenied
from identities.api.authentication import caller
from runs.api.lookup import find_version
from runs.api.serializers import InstallationPreflightSerializer, PreflightQuery, PreflightSerializer
from runs.models import AgentVersion
from runs.policies import may_inspect_installation
from runs.preflight import Finding, advise, advise_installation, check_installation, check_version


class Preflight(ApiView):
    """The guardrails of one version of an agent."""

    query = PreflightQuery

    @extend_schema(operation_id="getPreflight", tags=["agents"], responses=PreflightSerializer)
    def get(self, request: Request, agent_id: UUID) -> Response:
        """Check a version, the newest unless one is named: every guardrail that is missing, with its remedy.

        Beside them the advice: defences that it may do without. A retired version gets none.
        """
        version = find_version(caller(request), agent_id, read_query(self.query, request).get("version"))
        findings = check_version(version)
        report = {
            "agent": version.identity.slug,
            "version": version.number,
            "ready": not findings,
            "findings": findings,
            "advice": _advise(version),
        }
        return Response(render_row(PreflightSerializer, report))


class InstallationPreflight(ApiView):
    """The guardrails of the installation."""

    @extend_schema(
        operation_id="getInstallationPreflight", tags=["agents"], responses=InstallationPreflightSerializer
    )
    def get(self, request: Request) -> Response:
        """Check settings, database role and all published versions; for superusers, others get 403."""
        if not may_inspect_installation(caller(request)):
            raise PolicyDenied("superusers_only", "Only a superuser may see what the installation lacks.")
        findings = check_installation()
        report = {
            "ready": not findings,
            "enforced": settings.PRODUCTION,
            "findings": findings,
            "advice": list(advise_installation()),
        }
        return Response(render_row(InstallationPreflightSerializer, report))


def _advise(version: AgentVersion) -> list[Finding]:
    retired = version.state == AgentVersion.State.RETIRED
    return [] if retired else advise(version, version.catalogue.select_related("tool").order_by("tool__name"))
