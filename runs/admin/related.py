"""What runs put on other pages: an agent's versions and runs, the run behind an approval."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from agentops.console.panels import Panel, register_panel
from agentops.engine import events as e
from approvals.models import ApprovalRequest
from identities.acting import acting_person
from identities.models import AgentIdentity, User
from runs.admin.spending import budgets_visible_to, list_spending
from runs.catalogues import read_versions
from runs.grant_use import DAYS, MOST_RUNS, find_use
from runs.models import AgentVersion, Run, ToolCall
from runs.policies import startable_by
from runs.preflight import check_version
from runs.trace import read_last_items
from tools.in_force import read_permitting

RUNS_SHOWN = 8
VERSIONS_SHOWN = 5
LINES_SHOWN = 5
LINES_READ = 50  # some tell of budgets only and are not shown
SETTLED = ("succeeded", "failed", "refused", "parked", "unknown")


def read_runs(request: HttpRequest, subject: AgentIdentity) -> dict[str, Any]:
    """Return an agent's latest runs, its versions and its budgets."""
    user = acting_person(request)
    runs = Run.objects.visible_to(user).filter(identity=subject).select_related("principal", "agent_version")
    versions = read_versions(subject)
    published = next((version for version in versions if version.state == "published"), None)
    spending = list_spending(
        budgets_visible_to(user).filter(identity=subject).select_related("team", "identity"), 3
    )
    return {
        "agent": subject,
        "runs": list(runs[:RUNS_SHOWN]),
        "versions": sorted(versions, key=lambda version: -version.number)[:VERSIONS_SHOWN],
        "published": published,
        "findings": check_version(published) if published else [],
        "may_start": _is_for_staff(published) and startable_by(user).filter(pk=subject.pk).exists(),
        "spending": spending,
    }


def _is_for_staff(version: AgentVersion | None) -> bool:
    return version is not None and version.principal_source == AgentVersion.PrincipalSource.STAFF


def read_run_behind(request: HttpRequest, subject: ApprovalRequest) -> dict[str, Any] | None:
    """Return the run that asked, in its last lines, and what came of the call once it went out."""
    run_id = _as_id(subject.subject_ref)
    run, call = _find_run(acting_person(request), run_id, subject.pk) if run_id else (None, None)
    if run is None:
        return None
    latest = read_last_items(run, limit=LINES_READ, contents=False)
    lines = [item for item in latest if item.kind not in e.OF_ESCROW]
    goes_on = subject.state in (ApprovalRequest.State.APPROVED, ApprovalRequest.State.EDITED)
    awaited = call.state not in SETTLED if call else not subject.followed_by.exists()
    moving = goes_on and not run.has_ended and awaited
    return {"run": run, "call": call, "lines": lines[-LINES_SHOWN:], "moving": moving}


def _find_run(user: User, run_id: UUID, approval: UUID) -> tuple[Run | None, ToolCall | None]:
    """Return a run, unless this person may not see it, and the call of it that the approval is about."""
    runs = Run.objects.visible_to(user).filter(pk=run_id)
    calls = ToolCall.objects.filter(run__in=runs.values("pk"), approval_id=approval)
    call = calls.select_related("run__identity").first()
    return (runs.select_related("identity").first(), None) if call is None else (call.run, call)


def read_grant_use(request: HttpRequest, subject: AgentIdentity) -> dict[str, Any]:
    """Return what of its grants an agent uses, the unused ones first."""
    return {"uses": find_use(read_permitting(subject), newest=MOST_RUNS), "days": DAYS, "most": MOST_RUNS}


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


register_panel(
    Panel("identities.agentidentity", "Runs and versions", "runs/of_agent.html", read_runs, 30, size="full")
)
register_panel(
    Panel(
        "identities.agentidentity",
        "What it really does",
        "runs/grant_use.html",
        read_grant_use,
        25,
        size="full",
    )
)
register_panel(
    Panel(
        "approvals.approvalrequest",
        "The run so far",
        "runs/behind_request.html",
        read_run_behind,
        30,
        size="full",
    )
)
