"""What the inbox puts on other pages: the count in the rail, what waits on the dashboard and at an agent or tool."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest

from agentops.console.navigation import Destination, register_destination
from agentops.console.panels import Panel, register_panel
from agentops.console.streams import register_streams
from approvals.models import ApprovalRequest
from identities.models import User

SHOWN = 6
INBOX = "admin:approvals_approvalrequest_changelist"


def count_waiting(request: HttpRequest) -> int:
    """Count what this person could decide now."""
    return ApprovalRequest.objects.decidable_by(cast(User, request.user)).count()


def read_waiting(request: HttpRequest, subject: Any) -> dict[str, Any]:
    """Return the requests that have waited longest, with the number of all; Any: the dashboard has no subject."""
    user = cast(User, request.user)
    waiting = ApprovalRequest.objects.visible_to(user).filter(state="waiting").order_by("created_at")
    shown = list(waiting.select_related("identity", "tool", "principal")[:SHOWN])
    mine = ApprovalRequest.objects.decidable_by(user).filter(pk__in=[row.pk for row in shown])
    decidable = set(mine.values_list("pk", flat=True))
    return {"requests": shown, "decidable": decidable, "total": waiting.count()}


def read_waiting_of(request: HttpRequest, subject: Any) -> dict[str, Any] | None:
    """Return what waits because of this agent or tool; nothing when nothing does."""
    user = cast(User, request.user)
    about = {"identity" if subject._meta.model_name == "agentidentity" else "tool": subject}
    waiting = ApprovalRequest.objects.visible_to(user).filter(state="waiting", **about).order_by("created_at")
    shown = list(waiting.select_related("identity", "tool", "principal")[:SHOWN])
    return {"requests": shown, "decidable": set(), "total": waiting.count()} if shown else None


register_destination(Destination("Inbox", INBOX, order=10, waiting=count_waiting))
register_streams("approval", ApprovalRequest.objects.visible_to)
register_panel(
    Panel("dashboard", "Waiting for a decision", "approvals/waiting.html", read_waiting, order=10, url_name=INBOX,
          size="two-thirds")
)  # fmt: skip
for place in ("identities.agentidentity", "tools.tool"):
    register_panel(Panel(place, "Waiting for a decision", "approvals/waiting.html", read_waiting_of, 10, INBOX, "full"))
