"""Starting runs and looking at them."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, answer_once, read_key
from agentops.api.openapi import REQUIRED_IDEMPOTENCY_KEY, TRACE_CONTEXT
from agentops.api.pagination import NumberedPage, page, parse_number, read_limit, read_place
from agentops.api.serializers import Fields, read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.identifiers import first_id_at
from identities.api.authentication import caller
from identities.api.views import find_agent
from identities.models import ApiKey, User
from runs.api.bodies import RunQuery, StartRunBody, TraceQuery
from runs.api.contents import read_steps
from runs.api.lookup import find_run, operation_on_run, show_run, visible_runs
from runs.api.principals import principal_of, read_proof
from runs.api.serializers import RunDetailSerializer, RunSerializer, StepSerializer, TraceSerializer
from runs.changesets.forms import Ceilings, RunForm
from runs.family import read_used_below
from runs.models import Fulfilment, Priority, Run, RunMode, Step
from runs.services import start_run
from runs.trace import read_totals, read_trace
from runs.words import read_ending

MOST_UNDOS = 100
START_EXAMPLE = OpenApiExample(
    "A customer's request",
    request_only=True,
    value={
        "agent": "support-desk",
        "message": "My kettle arrived broken, I want my money back. Order #1042.",
        "principal": {"issuer": "https://shop.example", "subject": "customer-17"},
    },
)


class Runs(ListView):
    """The runs that the caller may see."""

    query = RunQuery

    @extend_schema(operation_id="listRuns", tags=["runs"], responses=RunSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List runs, newest first."""
        filters = read_query(self.query, request)
        rows = visible_runs(caller(request))
        if since := filters.pop("since", None):
            rows = rows.filter(id__gte=first_id_at(max(0, int(since.timestamp() * 1000))))
        if filters.pop("held", False):
            rows = rows.filter(pk__in=Run.objects.holding().values("pk"))
        return self.answer_page(request, rows.filter(**filters), partial(render_rows, RunSerializer))

    @extend_schema(
        operation_id="startRun",
        tags=["runs"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY, *TRACE_CONTEXT],
        request=StartRunBody,
        responses={201: RunSerializer},
        examples=[START_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        """Give an agent a task.

        Answers 403 `principal_not_proven` when the caller may not say for whom the run acts.
        403 `application_only` or `staff_only`: the agent is started by the others.
        422 `unknown_task`: the agent's version does not declare it.
        409 `parent_ended`: nothing is done any more on behalf of that run.
        """
        read_key(request, required=True)
        body = read_body(StartRunBody, request)
        actor = caller(request)
        proven = read_proof(request, actor, body.get("subject_token"))
        principal = principal_of(actor, body.get("principal"), proven)

        def act() -> Answer:
            run = start_run(
                actor=actor,
                issuer=principal[0],
                subject=principal[1],
                application=actor.application if actor.kind == User.Kind.APPLICATION else None,
                trace=self.trace,
                credential=request.auth if isinstance(request.auth, ApiKey) else None,
                proven=proven,
                **_read_task(actor, body),
            )
            shown = show_run(run)
            return Answer(201, shown, shown["links"]["self"])

        operation = operation_on_run("runs", principal, unmarked=("subject_token",))
        return answer_once(request, operation, act, required=True)


def _read_task(
    actor: User, body: dict[str, Any]
) -> dict[str, Any]:  # Any: checked JSON; arguments of `start_run`
    """Return what is to be done, by whom, and within what."""
    return {
        "agent": find_agent(actor, slug=body["agent"]),
        "message": body["message"],
        "parent": find_run(actor, body["parent_run"]) if "parent_run" in body else None,
        "limits": body.get("tool_limits"),
        "priority": Priority[body.get("priority", "normal").upper()],
        "mode": RunMode(body.get("mode", "act")),
        "task": body["task"],
        "form": _read_form(body["form"]) if "form" in body else None,
    }


def _read_form(body: dict[str, Any]) -> RunForm:  # Any: checked JSON
    lists = {name: body[name] for name in ("criteria", "constraints", "forbidden")}
    return RunForm(**lists, ceilings=Ceilings(**body.get("budget", {})))


class RunDetail(ApiView):
    """One run."""

    @extend_schema(operation_id="getRun", tags=["runs"], responses=RunDetailSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Return a run, with its answer once it has ended."""
        actor = caller(request)
        run = find_run(actor, run_id)
        undos = Run.objects.visible_to(actor).undoing(run).values_list("pk", flat=True)[:MOST_UNDOS]
        told = {"ending": read_ending(run), "undos": undos, "used_below": read_used_below(run)}
        told["fulfilment"] = Fulfilment.objects.filter(run=run).first() if run.task else None
        return Response(render_row(RunDetailSerializer, run, **told))


class Children(ListView):
    """The runs that act for a run."""

    @extend_schema(operation_id="listChildren", tags=["runs"], responses=RunSerializer(many=True))
    def get(self, request: Request, run_id: UUID) -> Response:
        """List the children of a run that you may see, newest first: those to whom its calls gave tasks (`given_by`),
        and those that an application started on its behalf."""
        actor = caller(request)
        rows = visible_runs(actor).filter(parent=find_run(actor, run_id))
        return self.answer_page(request, rows, partial(render_rows, RunSerializer))


class Steps(ListView):
    """What the AI decided and what was executed."""

    pagination_class = NumberedPage

    @extend_schema(operation_id="listSteps", tags=["runs"], responses=StepSerializer(many=True))
    def get(self, request: Request, run_id: UUID) -> Response:
        """List the steps of a run, oldest first, with their calls, usage and cost."""
        run = find_run(caller(request), run_id)

        def render(page: list[Step]) -> list[Fields]:
            return render_rows(StepSerializer, page, **read_steps(run, page))

        return self.answer_page(request, Step.objects.filter(run=run), render)


class Trace(ApiView):
    """The run, told for people."""

    pagination_class = NumberedPage
    query = TraceQuery

    @extend_schema(operation_id="getTrace", tags=["runs"], responses=TraceSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Return what the run decided, what it executed and where it broke, oldest first, and what it cost.

        The items come in pages; `totals` is of the whole run on each of them.
        """
        run = find_run(caller(request), run_id)
        limit, place = read_limit(request), read_place(request, parse_number)
        contents = read_query(self.query, request)["contents"]
        items = read_trace(run, after=place or 0, limit=limit + 1, contents=contents)
        shown = items[:limit]
        told = page(shown, shown[-1].seq if len(items) > limit else None)
        return Response(render_row(TraceSerializer, {**told, "totals": read_totals(run)}))
