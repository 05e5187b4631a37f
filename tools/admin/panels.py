"""What tools put on other pages: an agent's authority as a readable list, open breakers on the dashboard."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from agentops.console.panels import Panel, register_panel
from agentops.look_once import look_once
from identities.acting import acting_person
from identities.models import AgentIdentity, Secret, SecretLease, User
from identities.policies import may_govern
from tools.admin.filters import STOPPED
from tools.admin.words import describe_terms, latest_versions, may_run_without_people
from tools.in_force import read_grants
from tools.models import Tool

SHOWN = 5
MOST_GRANTS = 100
GRANT = "tools.add_toolgrant"


def read_authority(request: HttpRequest, subject: AgentIdentity) -> dict[str, Any]:
    """Return what an agent may do, the tools that a person is not asked for last."""
    rows = read_grants(subject)[:MOST_GRANTS]
    latest = latest_versions([grant.tool for grant in rows])
    told = [
        {
            "grant": grant,
            "version": latest.get(grant.tool_id),
            "terms": describe_terms(grant, latest.get(grant.tool_id)),
            "unattended": may_run_without_people(grant),
        }
        for grant in rows
    ]
    may_grant = may_govern(acting_person(request), GRANT, subject.team, subject).allowed
    return {"rows": told, "agent": subject, "may_grant": may_grant}


def read_open_breakers(request: HttpRequest, subject: Any) -> dict[str, Any]:
    """Return the tools that are not being called, read once for the figure and the panel; Any: there is no subject."""
    user = acting_person(request)
    seen = look_once(("stopped tools", user.pk), lambda: _read_stopped(user))
    return {"tools": seen[:SHOWN], "more": len(seen) > SHOWN}


def _read_stopped(user: User) -> list[Tool]:
    tools = Tool.objects.visible_to(user).filter(STOPPED).select_related("breaker_state", "forced_open_by")
    return list(tools[: SHOWN + 1])


def read_unended(request: HttpRequest, subject: Any) -> dict[str, Any] | None:
    """Return the credentials that could not be taken back, None if there are none; Any: there is no subject."""
    secrets = Secret.objects.visible_to(acting_person(request))
    leases = SecretLease.objects.filter(secret__in=secrets, state="revoke_failed").order_by("issued_at")
    rows = list(leases.select_related("secret", "identity").defer("sealed_handle")[: SHOWN + 1])
    return {"leases": rows[:SHOWN], "more": len(rows) > SHOWN} if rows else None


register_panel(
    Panel(
        "identities.agentidentity",
        "What it may do",
        "tools/authority.html",
        read_authority,
        order=20,
        size="full",
    )
)
register_panel(
    Panel("dashboard", "Open breakers", "tools/breakers.html", read_open_breakers, order=40,
          url_name="admin:tools_tool_changelist", size="third")
)  # fmt: skip
register_panel(
    Panel("dashboard", "Credentials not taken back", "tools/unended.html", read_unended, order=5, size="full")
)
