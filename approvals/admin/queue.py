"""The list at the left of the inbox: what waits, oldest first, or what was decided, latest first."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from approvals.models import ApprovalRequest
from identities.models import AgentIdentity, User
from tools.models import Tool

MOST_SHOWN = 100
DECIDED = ("approved", "denied", "edited", "asked", "expired", "voided")
TABS = {"waiting": "Waiting", "decided": "Decided"}


@dataclass(frozen=True, slots=True)
class Queue:
    """One view of the inbox. ``decidable`` holds the ids of what this person may decide."""

    requests: list[ApprovalRequest]
    decidable: frozenset[UUID]
    more: bool
    tab: str
    agents: list[tuple[str, str]]
    tools: list[str]
    agent: str
    tool: str

    @property
    def query(self) -> str:
        """Return the view as a query string, so that a link can lead back to it."""
        chosen = {"tab": self.tab, "agent": self.agent, "tool": self.tool}
        return urlencode({name: value for name, value in chosen.items() if value and value != "waiting"})


def read_queue(request: HttpRequest, user: User) -> Queue:
    """Return the view that the query string asks for, and the values that it can be narrowed to."""
    tab = request.GET.get("tab", "waiting")
    tab = tab if tab in TABS else "waiting"
    agent, tool = request.GET.get("agent", ""), request.GET.get("tool", "")
    visible = ApprovalRequest.objects.visible_to(user)
    in_tab = _in_tab(visible, tab)
    shown = in_tab
    if agent:
        shown = shown.filter(identity__slug=agent)
    if tool:
        shown = shown.filter(tool__name=tool)
    rows = list(shown.select_related("identity", "tool", "principal", "tool_version")[: MOST_SHOWN + 1])
    decidable = ApprovalRequest.objects.decidable_by(user).filter(pk__in=[row.pk for row in rows])
    return Queue(
        requests=rows[:MOST_SHOWN],
        decidable=frozenset(decidable.values_list("pk", flat=True)) if tab == "waiting" else frozenset(),
        more=len(rows) > MOST_SHOWN,
        tab=tab,
        agents=list(AgentIdentity.objects.visible_to(user).values_list("slug", "name")[:MOST_SHOWN]),
        tools=list(Tool.objects.visible_to(user).values_list("name", flat=True)[:MOST_SHOWN]),
        agent=agent,
        tool=tool,
    )


def _in_tab(visible: QuerySet[ApprovalRequest], tab: str) -> QuerySet[ApprovalRequest]:
    if tab == "waiting":
        return visible.filter(state="waiting").order_by("created_at")
    return visible.filter(state__in=DECIDED).order_by("-decided_at")
