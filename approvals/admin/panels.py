"""What the inbox puts elsewhere: its count in the rail, what waits on the pages of others."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from agentops.console.navigation import Destination, register_destination
from agentops.console.panels import Panel, register_panel
from agentops.console.streams import register_streams
from approvals.batches.deciding import BATCH_STREAM
from approvals.models import ApprovalBatch, ApprovalRequest
from identities.acting import acting_person

SHOWN = 4
TITLE = "Waiting for a decision"
INBOX = "admin:approvals_approvalrequest_changelist"


def find_waiting(request: HttpRequest) -> QuerySet[ApprovalRequest]:
    """Return what this person could decide now."""
    return ApprovalRequest.objects.decidable_by(acting_person(request))


def read_waiting(request: HttpRequest, subject: Any) -> dict[str, Any]:
    """Return the requests that have waited longest; Any: the dashboard has no subject."""
    user = acting_person(request)
    return _show(ApprovalRequest.objects.visible_to(user).put_to_people().order_by("created_at"))


def read_waiting_of(request: HttpRequest, subject: Any) -> dict[str, Any] | None:
    """Return what waits because of this agent or tool; nothing when nothing does."""
    user = acting_person(request)
    about = {"identity" if subject._meta.model_name == "agentidentity" else "tool": subject}
    waiting = ApprovalRequest.objects.visible_to(user).put_to_people().filter(**about)
    shown = _show(waiting.order_by("created_at"))
    return shown if shown["requests"] else None


def _show(waiting: QuerySet[ApprovalRequest]) -> dict[str, Any]:  # Any: what the template takes
    """Return the first of them; how many there are stands elsewhere, and takes as long as there are many."""
    found = list(waiting.select_related("identity", "tool", "principal")[: SHOWN + 1])
    return {"requests": found[:SHOWN], "more": len(found) > SHOWN}


register_destination(Destination("Inbox", INBOX, order=10, waiting=find_waiting))
register_streams("approval", ApprovalRequest.objects.visible_to)
register_streams(BATCH_STREAM, ApprovalBatch.objects.visible_to)
register_panel(
    Panel("dashboard", TITLE, "approvals/waiting.html", read_waiting, 10, url_name=INBOX, size="two-thirds")
)
for place in ("identities.agentidentity", "tools.tool"):
    register_panel(Panel(place, TITLE, "approvals/waiting.html", read_waiting_of, 10, INBOX, "full"))
