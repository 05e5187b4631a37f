"""A tool's calls: what became of them and how long they took, and the page with the calls behind each number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone

from agentops.console.panels import Panel, register_panel
from identities.acting import acting_person
from identities.models import User
from runs.models import Run
from runs.tool_use import (
    MOST_READ,
    MOST_VERSIONS,
    OUTCOMES,
    WINDOWS,
    Counted,
    SeenCall,
    Wanted,
    list_calls,
    read_use,
)
from tools.models import Tool

ON_A_PAGE = 50
MOST_PAGES = MOST_READ * MOST_VERSIONS // ON_A_PAGE


def read_calls(request: HttpRequest, subject: Tool) -> dict[str, Any]:
    """Return the numbers of a tool's last week, each with where its calls are, and the newest calls."""
    use = read_use(subject, timezone.now())
    return {
        "tool": subject,
        "use": use,
        "windows": list(WINDOWS),
        "outcomes": [(row.name, _linked(row, outcome=row.name)) for row in use.outcomes if row.week],
        "total": _linked(use.total),
        "refusals": [(row.name, _linked(row, code=row.name)) for row in use.refusals],
        "failures": [(row.name, _linked(row, code=row.name)) for row in use.failures],
        "calls": _with_runs(acting_person(request), use.newest),
        "most": MOST_READ,
    }


def _linked(row: Counted, **narrowed: str) -> list[tuple[int, str]]:
    """Return the counts of the windows, each with the query of the page that lists its calls."""
    return [(getattr(row, window), _query(Wanted(window, **narrowed))) for window in WINDOWS]


def _query(wanted: Wanted, page: int = 1) -> str:
    query = QueryDict(mutable=True)
    told = {"window": wanted.window, "outcome": wanted.outcome, "code": wanted.code}
    query.update({name: value for name, value in told.items() if value})
    if page > 1:
        query["page"] = str(page)
    return query.urlencode()


def _with_runs(person: User, calls: Sequence[SeenCall]) -> list[tuple[SeenCall, Run]]:
    """Return calls with their runs, as far as the person may see them."""
    visible = Run.objects.visible_to(person).select_related("identity")
    runs = visible.in_bulk({call.run_id for call in calls})
    return [(call, runs[call.run_id]) for call in calls if call.run_id in runs]


def tool_calls_view(request: HttpRequest, tool_id: UUID) -> HttpResponse:
    """List the calls of a tool that one of its numbers counts."""
    person = acting_person(request)
    tool = Tool.objects.visible_to(person).filter(pk=tool_id).first()
    if tool is None:
        raise Http404
    wanted, page = _wanted(request), _page(request)
    offset = (page - 1) * ON_A_PAGE
    calls = list_calls(tool, wanted, timezone.now(), limit=ON_A_PAGE + 1, offset=offset)
    context = {
        **admin.site.each_context(request),
        "opts": Tool._meta,
        "title": f"Calls of {tool}",
        "tool": tool,
        "wanted": wanted,
        "windows": [(window, _query(Wanted(window, wanted.outcome, wanted.code))) for window in WINDOWS],
        "outcomes": [(name, _query(Wanted(wanted.window, name))) for name in ("", *OUTCOMES)],
        "calls": _with_runs(person, calls[:ON_A_PAGE]),
        "newer": _query(wanted, page - 1) if page > 1 else None,
        "older": _query(wanted, page + 1) if len(calls) > ON_A_PAGE and page < MOST_PAGES else None,
        "most": MOST_READ,
    }
    return TemplateResponse(request, "runs/calls_of_tool.html", context)


def _wanted(request: HttpRequest) -> Wanted:
    """Return what is asked for; words that name no window and no outcome are taken for the widest."""
    window, outcome = request.GET.get("window", ""), request.GET.get("outcome", "")
    return Wanted(
        window if window in WINDOWS else "week",
        outcome if outcome in OUTCOMES else "",
        request.GET.get("code", ""),
    )


def _page(request: HttpRequest) -> int:
    given = request.GET.get("page", "")
    return (
        min(max(1, int(given)), MOST_PAGES) if given.isascii() and given.isdecimal() and len(given) < 6 else 1
    )


register_panel(Panel("tools.tool", "Calls and outcomes", "runs/of_tool.html", read_calls, 30, size="full"))
