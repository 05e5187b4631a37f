"""The dashboard's panels about runs: the figures at the top, what broke, spending, agents, handovers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from agentops.console.navigation import count_rows
from agentops.console.panels import Panel, register_panel
from agentops.console.words import money
from approvals.models import ApprovalRequest
from identities.acting import acting_person
from identities.models import User
from runs.admin.filters import PARKED
from runs.admin.pages import read_questions
from runs.admin.spending import budgets_visible_to, list_spending, window_starts
from runs.admin.usage import BROKEN, MOST_READ, TREND_DAYS, first_id_since, runs_since, weekly_usage
from runs.models import Handover, Run
from tools.admin.panels import read_open_breakers

GOING = ("queued", "in_progress", "requires_action", "paused", "cancelling")
SHOWN = 4

INBOX = "admin:approvals_approvalrequest_changelist"
RUNS = "admin:runs_run_changelist"
BUDGETS = "admin:runs_budget_changelist"
VERSIONS = "admin:runs_agentversion_changelist"
TOOLS = "admin:tools_tool_changelist"
HANDOVERS = "admin:runs_handover_changelist"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the top row: its words, the tone it has when it is not zero, and where it leads.

    ``note`` is a second number beside it, in words, which leads to rows of its own.
    """

    label: str
    value: str
    url: str
    tone: str
    note: str = ""
    note_url: str = ""


# Any, below: the dashboard has no subject.


def read_figures(request: HttpRequest, subject: Any) -> dict[str, list[Figure]]:
    """Return the figures of the top row."""
    user = acting_person(request)
    counted = count_rows(
        {
            "waiting": ApprovalRequest.objects.visible_to(user).put_to_people().values("pk"),
            "handovers": Handover.objects.visible_to(user).open().values("pk"),
        }
    )
    stopped = read_open_breakers(request, None)
    breakers = f"{len(stopped['tools'])}{'+' if stopped['more'] else ''}"
    return {
        "figures": [
            Figure(
                "waiting for a decision",
                str(counted.get("waiting", 0)),
                f"{reverse(INBOX)}?tab=waiting",
                "waiting",
            ),
            *_run_figures(user),
            Figure("open breakers", breakers, f"{reverse(TOOLS)}?breaker=stopped", "broken"),
            Figure("handed over", str(counted.get("handovers", 0)), reverse(HANDOVERS), "waiting"),
        ]
    }


def _run_figures(user: User) -> list[Figure]:
    midnight = window_starts(timezone.now())["day"]
    today = (
        runs_since(user, midnight)
        .order_by()
        .aggregate(spent=Sum("usd"), broken=Count("pk", filter=Q(state__in=BROKEN)), started=Count("pk"))
    )
    going = (
        Run.objects.visible_to(user)
        .filter(Q(state__in=GOING) | PARKED)
        .order_by()
        .aggregate(
            all=Count("pk", filter=Q(state__in=GOING)),
            waiting=Count("pk", filter=Q(state="requires_action")),
            parked=Count("pk", filter=PARKED & ~Q(state__in=BROKEN, pk__gte=first_id_since(midnight))),
        )
    )
    broken = today["broken"] + going["parked"]
    return [
        Figure(
            "runs going",
            str(going["all"]),
            f"{reverse(RUNS)}?{urlencode({'state__in': ','.join(GOING)})}",
            "running",
            f"{going['waiting']} wait for people",
            f"{reverse(RUNS)}?state__exact=requires_action",
        ),
        Figure(
            "broken today",
            str(broken),
            f"{reverse(RUNS)}?broken=today",
            "broken",
            f"of {today['started']} started",
            _runs_since(midnight),
        ),
        Figure("spent today", money(today["spent"] or Decimal(0)), _runs_since(midnight), "plain"),
    ]


def _runs_since(moment: datetime) -> str:
    return f"{reverse(RUNS)}?{urlencode({'created_at__gte': moment.isoformat()})}"


def read_broken(request: HttpRequest, subject: Any) -> dict[str, list[Run]]:
    """Return the runs that need a look: calls of unknown outcome first, then what ended badly today."""
    user = acting_person(request)
    parked = list(Run.objects.visible_to(user).filter(PARKED).select_related("identity")[:SHOWN])
    ended = runs_since(user, window_starts(timezone.now())["day"]).filter(state__in=BROKEN).exclude(PARKED)
    latest = ended.select_related("identity").order_by("-pk")[: SHOWN - len(parked)]
    return {"parked": parked, "ended": list(latest)}


def read_spending(request: HttpRequest, subject: Any) -> dict[str, Any]:
    """Return the budgets that are closest to being used up."""
    budgets = budgets_visible_to(acting_person(request)).select_related("team", "identity")
    return {"rows": list_spending(budgets, SHOWN)}


def read_agents(request: HttpRequest, subject: Any) -> dict[str, Any]:
    """Return the agent versions that were busiest in the last week."""
    today = window_starts(timezone.now())["day"]
    week = weekly_usage(acting_person(request), today, SHOWN)
    most = MOST_READ if week.is_cut else 0
    since = urlencode({"created_at__gte": week.since.isoformat()})
    return {"rows": week.rows, "days": TREND_DAYS, "most": most, "broken": ",".join(BROKEN), "since": since}


def read_handovers(request: HttpRequest, subject: Any) -> dict[str, Any]:
    """Return the conversations that have waited longest for a person."""
    rows = Handover.objects.visible_to(acting_person(request)).open()
    oldest = list(rows.select_related("run__identity").order_by("opened_at")[:SHOWN])
    questions = read_questions(oldest)
    return {"rows": [(handover, questions.get(handover.pk, "")) for handover in oldest]}


for panel in (
    Panel("dashboard", "", "runs/figures.html", read_figures, 0, size="bare"),
    Panel("dashboard", "Broken", "runs/broken.html", read_broken, 20, RUNS, "third"),
    Panel("dashboard", "Agents, last 7 days", "runs/agents.html", read_agents, 30, VERSIONS, "two-thirds"),
    Panel("dashboard", "Budgets, fullest first", "runs/spending.html", read_spending, 35, BUDGETS, "third"),
    Panel(
        "dashboard",
        "Handed over to people",
        "runs/handed_over.html",
        read_handovers,
        38,
        HANDOVERS,
        "third",
    ),
):
    register_panel(panel)
