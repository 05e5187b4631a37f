"""What the dashboard says of notices that do not arrive."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from agentops.console.navigation import count_rows
from agentops.console.panels import Panel, register_panel
from approvals.models import NoticeChannel, NoticeDelivery
from identities.acting import acting_person

RECENT = timedelta(days=7)
SHOWN = 5


def read_stopped(request: HttpRequest, subject: Any) -> dict[str, Any] | None:
    """Return the channels that stopped by themselves and what was given up lately; nothing where all is well."""
    person = acting_person(request)
    stopped = (
        NoticeChannel.objects.visible_to(person).filter(state="disabled").exclude(disabled_because="by hand")
    )
    dead = NoticeDelivery.objects.visible_to(person).filter(
        state="dead", ended_at__gt=timezone.now() - RECENT
    )
    counted = count_rows({"stopped": stopped.values("pk"), "dead": dead.values("pk")})
    if not any(counted.values()):
        return None
    shown = list(stopped.select_related("team")[:SHOWN]) if counted.get("stopped") else []
    return {"channels": shown, "given_up": counted.get("dead", 0)}


register_panel(
    Panel(
        "dashboard", "Notices that do not arrive", "approvals/stopped.html", read_stopped, 25,
        url_name="admin:approvals_noticedelivery_changelist", size="third",
    )
)  # fmt: skip
