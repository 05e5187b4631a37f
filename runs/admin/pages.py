"""What the page of a run shows, and the part of it that is fetched again while the run is going."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection
from django.http import HttpRequest

from agentops.console.panels import panels_for
from agentops.engine.events import CALL_PARKED, MODEL_REQUESTED
from agentops.errors import NotFound
from agentops.ledger.store import read_head
from approvals.models import ApprovalDecision, ApprovalRequest
from identities.acting import acting_person
from identities.models import User
from runs.admin.origins import MOST_READ, Origins, mark_calls
from runs.admin.timeline import VERDICTS, lay_out
from runs.dead_letters import find_parked
from runs.held import read_held
from runs.models import Fulfilment, Handover, Run, RunKind, ToolCall
from runs.trace import TraceItem, read_costs, read_last_items, read_totals
from runs.trace_titles import title_of
from runs.words import Place, read_asked, read_ending, read_first
from tools.calls import ToolSpec
from tools.catalogue import read_spec

ENTRIES_SHOWN = 300  # some fifty steps
UNDOS_SHOWN = 20
POINTS = 120  # of the cost's curve


def read_seen(run: Run) -> str:
    """Return what a page of the run as it is now has seen: the newest entry, and the state that followed from it."""
    with connection.cursor() as cursor:
        try:
            newest = read_head(cursor, run.pk).seq
        except NotFound:  # a run that was written past the ledger, as tests do
            newest = 0
    return f"{newest}-{run.state}"


def live_context(request: HttpRequest, run: Run, before: int | None = None) -> dict[str, Any]:
    """Return the context of everything on the page that changes while the run is going.

    ``before`` pages back: the steps that came before the entry with that seq, which change no more.
    """
    seen = read_seen(run)  # before the trace: rather once too often than an entry late
    items = whole_steps(read_last_items(run, before=before, limit=ENTRIES_SHOWN))
    first = items[0].seq if items else 1
    cost_points, catalogue = read_costs(run, POINTS), read_catalogue(run)
    rules = {name: spec.declared.results for name, spec in catalogue.items()}
    spent, deciders = read_totals(run, before=first).usd, read_deciders(items)
    return {
        "run": run,
        "max_ms": run.max_seconds * 1_000,
        "seen": seen,
        "before": before,
        "earlier": first if first > 1 else None,
        "totals": read_totals(run),
        "costs": [spent for _, spent in cost_points],
        "cost_points": cost_points,
        "timeline": lay_out(items, deciders, spent, rules, read_origins(run, items, catalogue)),
        "first": read_first(run),
        "ending": read_ending(run),
        "fulfilment": Fulfilment.objects.filter(run=run).first() if run.task else None,
        "awaited": _awaited(run, acting_person(request)),
        "held": () if run.has_ended else read_held(acting_person(request), run),
        "parked": find_parked(run),
        "undos": Run.objects.undoing(run)[:UNDOS_SHOWN]
        if run.has_ended
        else (),  # of the same team as the run
        "panels": panels_for(Run._meta.label_lower, request, run),
    }


def read_catalogue(run: Run) -> dict[str, ToolSpec]:
    """Return the tools of the run's version by name."""
    versions = run.agent_version.catalogue.values_list("tool__name", "pk")
    return {name: read_spec(pk) for name, pk in versions}


def read_origins(run: Run, items: list[TraceItem], catalogue: dict[str, ToolSpec]) -> Origins:
    """Return where the arguments of these calls come from; nothing where no planner chose them, or in a long run.

    It takes all that the run was told and has read: what came before these items is read too, if that is not too much.
    """
    before = items[0].seq - 1 if items else 0
    if run.kind != RunKind.TASK or before > MOST_READ:
        return {}
    earlier = read_last_items(run, before=items[0].seq, limit=MOST_READ) if before else []
    return mark_calls([*earlier, *items], catalogue)


def read_before(request: HttpRequest) -> int | None:
    """Return where a page of earlier steps ends, None for the newest."""
    given = request.GET.get("before", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else None


def whole_steps(items: list[TraceItem]) -> list[TraceItem]:
    """Leave out the rest of a step that began on an earlier page, unless there is nothing else."""
    if not items or items[0].seq == 1:
        return items
    begun = items[0].step
    start = next(
        (n for n, item in enumerate(items) if item.kind == MODEL_REQUESTED and item.step != begun), 0
    )
    return items[start:]


def read_deciders(items: list[TraceItem]) -> dict[str, str]:
    """Return who decided about the approvals of a run, by the approval's id; no query where there is none."""
    approvals = {item.facts.get("approval") for item in items if item.kind in VERDICTS} - {None}
    if not approvals:
        return {}
    decided = ApprovalDecision.objects.filter(request__in=approvals).select_related("decided_by")
    return {str(decision.request_id): decision.decided_by.get_username() for decision in decided}


def _awaited(run: Run, person: User) -> list[dict[str, Any]]:
    """Return what the run waits for people to do, each with what a person needs to do it."""
    actions = run.required_actions
    if not actions:
        return []
    approvals = ApprovalRequest.objects.filter(pk__in=[a["id"] for a in actions if a["type"] == "approval"])
    requests = {str(asked.pk): asked for asked in approvals.select_related("tool")}
    open_ones = Handover.objects.filter(run=run, step__in={action.get("step", 0) for action in actions})
    handovers = {(handover.step, handover.call): handover for handover in open_ones}
    places = [(run.pk, action.get("step", 0), action.get("call", 0)) for action in actions]
    asked, names, below = read_asked(places), _name_calls(run, places), _read_asks_below(actions, person)
    return [
        {
            **action,
            "request": requests.get(str(action.get("id", ""))),
            "handover": handovers.get(place[1:]),
            "question": asked.get(place, ""),
            "title": names.get(place, ""),
            "asks": below.get(str(action.get("id", "")), ()),
        }
        for action, place in zip(actions, places, strict=True)
    ]


def _read_asks_below(actions: list[dict[str, Any]], person: User) -> dict[str, list[str]]:
    """Return by its id which requests each run waits with that this one gave a task, where the viewer may see it."""
    children = [action["id"] for action in actions if action["type"] == "run"]
    shown = Run.objects.visible_to(person).filter(pk__in=children).distinct() if children else ()
    return {
        str(child.pk): [each["id"] for each in child.required_actions if each["type"] == "approval"]
        for child in shown
    }


def _name_calls(run: Run, places: list[Place]) -> dict[Place, str]:
    """Return a sentence about each call whose outcome nobody knows."""
    calls = ToolCall.objects.filter(run=run, step__in={step for _, step, _ in places})
    return {(run.pk, call.step, call.number): title_of(CALL_PARKED, {}, call.tool_name) for call in calls}


def read_questions(handovers: list[Handover]) -> dict[UUID, str]:
    """Return the agents' words for handing over, in one query; what was erased is absent."""
    by_place = {(each.run_id, each.step, each.call): each.pk for each in handovers}
    return {by_place[place]: words for place, words in read_asked(by_place).items()} if by_place else {}
