"""The list at the left of the inbox: what waits, oldest first, or what was decided, latest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Value
from django.http import HttpRequest
from django.utils import timezone

from approvals.admin.filters import (
    AGES,
    DOUBTFUL,
    EFFECTS,
    TABS,
    Filters,
    is_doubted,
    read_filters,
    read_query,
)
from approvals.behind import Behind, read_behind
from approvals.models import ApprovalRequest, SavedView
from approvals.querysets import ApprovalRequestQuerySet
from approvals.saved_views import read_views
from identities.models import AgentIdentity, User
from tools.models import Tool

__all__ = ["TABS", "Queue", "find_default", "read_queue"]

MOST_SHOWN = 100
RELATED = ("identity", "tool", "principal", "tool_version", "application", "requested_by")
DECIDED = ("approved", "denied", "edited", "asked", "expired", "voided")


@dataclass(frozen=True, slots=True)
class Queue:
    """One view of the inbox. ``decidable`` holds the ids of what this person may decide."""

    requests: list[ApprovalRequest]
    decidable: frozenset[UUID]
    more: bool
    filters: Filters
    agents: list[tuple[str, str]]
    tools: list[str]
    views: list[SavedView]
    behind: Behind | None = None

    @property
    def tab(self) -> str:
        return self.filters.tab

    @property
    def query(self) -> str:
        """Return the view as a query string, so that a link can lead back to it."""
        return self.filters.query

    @property
    def choices(self) -> dict[str, Any]:
        """Return what the further filters offer."""
        return {
            "effects": EFFECTS.items(),
            "doubts": DOUBTFUL.items(),
            "ages": [(key, words) for key, (words, _) in AGES.items()],
        }

    @property
    def view(self) -> str:
        """Return the name of the person's view that this is, if it is one."""
        return next((view.name for view in self.views if read_query(view.query) == self.filters), "")


def read_queue(request: HttpRequest, user: User, views: list[SavedView] | None = None) -> Queue:
    """Return the view that the query string asks for, and the values that it can be narrowed to.

    ``views`` are those that the person keeps, where they were read before.
    """
    filters = read_filters(request.GET.dict())
    behind = _find_behind(user, filters)
    rows = _read_rows(user, _find_shown(user, filters, behind))
    agents, tools = _read_names(user)
    return Queue(
        requests=rows[:MOST_SHOWN],
        decidable=frozenset(row.pk for row in rows[:MOST_SHOWN] if row.is_decidable),
        more=len(rows) > MOST_SHOWN,
        filters=filters,
        agents=agents,
        tools=tools,
        views=read_views(user) if views is None else views,
        behind=behind,
    )


def _find_behind(user: User, filters: Filters) -> Behind | None:
    """Return what is counted by the number of the oversight report that led here, if one did."""
    if not filters.said:
        return None
    return read_behind(user, filters.said, by=filters.by, week=filters.week, now=timezone.now())


def _find_shown(user: User, filters: Filters, behind: Behind | None) -> list[UUID]:
    """Return the ids of the first that are shown, and one more if there are more.

    Whole rows, joined with all that they name, would be sorted by the ten thousand.
    """
    seen = ApprovalRequest.objects.visible_to(user)
    if filters.doubt:
        seen = seen.annotate(is_doubted=is_doubted())
    if behind is None:
        shown = filters.narrow(_in_tab(seen, filters.tab))
    else:  # whatever has become of them since
        shown = filters.narrow(seen.filter(pk__in=behind.requests).order_by("-created_at"))
    return list(shown.values_list("pk", flat=True)[: MOST_SHOWN + 1])


def _read_rows(user: User, ids: list[UUID]) -> list[Any]:  # Any: with annotations
    """Return these requests in their order, each with whether it is doubtful, and this person's to decide."""
    decidable = ApprovalRequest.objects.decidable_by(user).filter(pk=OuterRef("pk"))
    rows = ApprovalRequest.objects.filter(pk__in=ids).select_related(*RELATED)
    found = rows.annotate(is_doubted=is_doubted(), is_decidable=Exists(decidable)).in_bulk()
    return [found[pk] for pk in ids if pk in found]


def _read_names(user: User) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the agents (slug and name) and the tools that the list can be narrowed to, in one statement."""
    agents = AgentIdentity.objects.visible_to(user).order_by().annotate(kind=Value("agent"))
    tools = Tool.objects.visible_to(user).order_by().annotate(kind=Value("tool"))
    rows = list(
        agents.values_list("kind", "slug", "name")[:MOST_SHOWN].union(
            tools.values_list("kind", "name", "name")[:MOST_SHOWN]
        )
    )
    named = sorted((slug, name) for kind, slug, name in rows if kind == "agent")
    return named, sorted(name for kind, name, _ in rows if kind == "tool")


def find_default(request: HttpRequest, views: list[SavedView]) -> str:
    """Return the query of the view that the inbox opens with, where the address asks for nothing by itself."""
    return "" if request.GET else next((view.query for view in views if view.is_default), "")


def _in_tab(visible: ApprovalRequestQuerySet, tab: str) -> QuerySet[ApprovalRequest]:
    if tab == "waiting":
        return visible.put_to_people().order_by("created_at")
    return visible.filter(state__in=DECIDED).order_by("-decided_at")
