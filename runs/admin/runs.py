"""Runs: the list, the page with its timeline, and what a person may do to a run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from agentops.console.actions import Confirmation, offered_buttons, offered_when, perform
from agentops.console.columns import moment_column, money_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.streams import register_streams
from agentops.console.templatetags.console import short
from agentops.errors import AgentOpsError, NotFound, ValidationFailed
from identities.acting import acting_person
from identities.models import STAFF_ISSUER, AgentIdentity, Principal, User
from identities.policies import may_govern
from runs.admin.filters import AgentFilter, BrokenFilter
from runs.admin.held import held_view
from runs.admin.looking import compare_view, prompt_view
from runs.admin.pages import live_context, read_before, read_seen
from runs.admin.replays import fork_view, replay_view
from runs.admin.start_form import StartForm, read_form
from runs.answering import answer_handover
from runs.erasure import ERASE, erase_run
from runs.examples.services import APPROVE, decide_example
from runs.models import ENDED_STATES, Handover, Run, RunMode
from runs.policies import May, may_control, startable_by
from runs.services import (
    answer_input,
    cancel_run,
    kill_run,
    pause_run,
    resume_run,
    settle_outcome,
    start_run,
    veto_call,
)
from runs.undoing.foresight import FORECAST, tell
from runs.undoing.services import foresee_undo, may_undo, undo_run

GOING = ("queued", "in_progress", "requires_action")
UNDO = "Undo what this run has done, the latest effect first?"
MOST_UNDONE = 5  # runs whose effects are told before somebody says yes


def _permission_by(rule: Callable[[User, Run], May]) -> Callable[..., bool]:
    """Return a permission method: whether a rule lets this person; of a list the queryset holds who it lets."""

    def has_permission(page: GovernedAdmin, request: HttpRequest, obj: Run | None = None) -> bool:
        if obj is None:
            return page.admin_site.has_permission(request)
        return rule(acting_person(request), obj).allowed

    return has_permission


@admin.register(Run)
class RunAdmin(GovernedAdmin):
    """The runs of the viewer's teams."""

    page_template = "runs/run.html"
    add_label = "Start a run"
    linked_by = ("agent_version", "created_at", "status_reason", "team")
    list_display = (
        "run_name",
        state_column(),
        "why",
        "for_whom",
        "steps",
        money_column("usd", "cost"),
        moment_column("created_at", "started"),
    )
    list_filter = ("state", AgentFilter, BrokenFilter)
    list_select_related = ("identity", "principal", "agent_version")
    search_fields = ("=id", "=trace_id", "identity__name", "principal__subject")
    ordering = ("-id",)
    actions = (
        "compare",
        "pause",
        "resume",
        "cancel",
        "kill",
        "undo",
        "approve_example",
        "reject_example",
        "erase",
    )

    @admin.display(description="run")
    def run_name(self, run: Run) -> str:
        """Name the agent, and the end of the run's id."""
        return f"{run.identity} · {short(run.pk)}"

    @admin.display(description="why")
    def why(self, run: Run) -> str:
        """Say why it stands so."""
        return ": ".join(filter(None, (run.status_reason, run.status_detail))).replace("_", " ")

    @admin.display(description="for")
    def for_whom(self, run: Run) -> str:
        """Name the end user."""
        return str(run.principal)

    @admin.action(description="Compare the two")
    def compare(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Show two runs side by side."""
        chosen = list(queryset.order_by("pk")[:3])
        if len(chosen) != 2:
            messages.warning(request, "Choose two runs to compare.")
            return HttpResponseRedirect(self.page_url("changelist"))
        query = urlencode({"one": chosen[1].pk, "other": chosen[0].pk})
        return HttpResponseRedirect(f"{self.page_url('compare')}?{query}")

    has_control_permission = _permission_by(may_control)
    has_undo_permission = _permission_by(may_undo)

    def has_erase_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        """Whether this person may erase what was said in the run, or in some run."""
        person = acting_person(request)
        return person.has_perm(ERASE) if obj is None else may_govern(person, ERASE, obj.team).allowed

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to whom it offers an agent."""
        return self.admin_site.has_permission(request) and startable_by(acting_person(request)).exists()

    @offered_when(*GOING)
    @admin.action(permissions=["control"], description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Let runs rest before their next command."""
        person = acting_person(request)
        asked = Confirmation("Pause this run before its next step?", "paused", reason="optional")
        return perform(
            self, request, queryset, lambda run, why: pause_run(actor=person, run=run, reason=why), asked
        )

    @offered_when("paused")
    @admin.action(permissions=["control"], description="Resume")
    def resume(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Let paused runs go on."""
        person = acting_person(request)
        asked = Confirmation("Let this run go on?", "resumed", reason="none")
        return perform(self, request, queryset, lambda run, _: resume_run(actor=person, run=run), asked)

    @offered_when(*GOING, "paused")
    @admin.action(permissions=["control"], description="Cancel")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Ask runs to stop; what has happened stays."""
        person = acting_person(request)
        asked = Confirmation(
            "Cancel this run? It stops before its next step; what has happened stays.", "asked to stop"
        )
        return perform(
            self, request, queryset, lambda run, why: cancel_run(actor=person, run=run, reason=why), asked
        )

    @offered_when(*GOING, "paused", "cancelling", danger=True)
    @admin.action(permissions=["control"], description="Kill")
    def kill(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Halt runs as an operator."""
        person = acting_person(request)
        asked = Confirmation("Kill this run? No further call goes out, and no answer is written.", "killed")
        return perform(
            self, request, queryset, lambda run, why: kill_run(actor=person, run=run, reason=why), asked
        )

    @offered_when(*ENDED_STATES, danger=True)
    @admin.action(permissions=["undo"], description="Undo")
    def undo(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Undo what runs that have ended have done."""
        person = acting_person(request)
        asked = Confirmation(UNDO, "being undone", foreseen=_foresee_undos(person, queryset))
        return perform(
            self, request, queryset, lambda run, why: undo_run(actor=person, run=run, reason=why), asked
        )

    def has_learn_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        """Whether this person may say of the run, or of some run, that it is an example to learn from."""
        person = acting_person(request)
        return person.has_perm(APPROVE) if obj is None else may_govern(person, APPROVE, obj.team).allowed

    @offered_when(*ENDED_STATES)
    @admin.action(permissions=["learn"], description="Approve as an example")
    def approve_example(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Say that all steps of runs are examples to learn from."""
        asked = "Let models learn from every step of this run? It may be exported then, as far as nothing is redacted."
        return self._decide_example(
            request, queryset, "approved", Confirmation(asked, "approved as examples")
        )

    @offered_when(*ENDED_STATES)
    @admin.action(permissions=["learn"], description="Reject as an example")
    def reject_example(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Say that runs are no examples to learn from."""
        asked = "Let no model learn from this run? What was exported before is out."
        return self._decide_example(
            request, queryset, "rejected", Confirmation(asked, "rejected as examples")
        )

    def _decide_example(
        self, request: HttpRequest, queryset: QuerySet[Run], verdict: str, asked: Confirmation
    ) -> HttpResponse:
        person = acting_person(request)
        return perform(
            self, request, queryset,
            lambda run, why: decide_example(actor=person, run=run, verdict=verdict, reason=why), asked,
        )  # fmt: skip

    @offered_when(*ENDED_STATES, danger=True)
    @admin.action(permissions=["erase"], description="Erase the words")
    def erase(self, request: HttpRequest, queryset: QuerySet[Run]) -> HttpResponse:
        """Erase what was said in runs that have ended."""
        person = acting_person(request)
        asked = Confirmation(
            "Erase every word of this run for good? What happened, and that it was erased, stays on the record.",
            "erased",
        )
        return perform(
            self, request, queryset, lambda run, why: erase_run(actor=person, run=run, reason=why), asked
        )

    def get_urls(self) -> list[URLPattern]:
        """Add the address that answers are sent to."""
        view = self.admin_site.admin_view(self.answer_view)
        held = self.admin_site.admin_view(held_view)
        return [
            path("<uuid:pk>/answer/", view, name="runs_run_answer"),
            path("held/", held, name="runs_run_held"),
            path("compare/", self.admin_site.admin_view(compare_view), name="runs_run_compare"),
            path("<uuid:pk>/replay/", self._viewed(replay_view), name="runs_run_replay"),
            path("<uuid:pk>/fork/", self._viewed(fork_view), name="runs_run_fork"),
            path(
                "<uuid:pk>/prompt/<int:step>/",
                self.admin_site.admin_view(prompt_view),
                name="runs_run_prompt",
            ),
            *super().get_urls(),
        ]

    def _viewed(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        """Return a view of this page's as the site serves it."""
        return self.admin_site.admin_view(partial(view, self))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what every page about a run names."""
        related = "identity", "agent_version", "principal", "application", "started_by", "team"
        return super().get_queryset(request).select_related(*related)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by id, or by names that are looked up first: there are far fewer agents and users than runs."""
        for word in search_term.split():
            agents = AgentIdentity.objects.filter(name__icontains=word)
            users = Principal.objects.filter(subject__icontains=word)
            named = Q(identity__in=agents.values("pk")) | Q(principal__in=users.values("pk"))
            queryset = queryset.filter(named | Q(trace_id=word) | Q(pk__in=_ids_in(word)))
        return queryset, False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a run; to a page that follows it, only what is new since, or nothing (204)."""
        if request.headers.get("HX-Target") != "run-live":
            return super().change_view(request, object_id, form_url, extra_context)
        run = self.get_object(request, unquote(object_id))
        if run is None:
            return HttpResponse(status=404)
        if request.GET.get("seen") == read_seen(run):
            return HttpResponse(status=204)
        return TemplateResponse(request, "runs/live.html", self._live(request, run))

    def page_context(self, request: HttpRequest, subject: Run) -> dict[str, Any]:
        """Add everything that the timeline shows."""
        return {"title": f"{subject.identity} · {short(subject.pk)}", **self._live(request, subject)}

    def _live(self, request: HttpRequest, run: Run) -> dict[str, Any]:
        buttons = {
            "action_buttons": offered_buttons(self, request, run),
            "action_url": self.page_url("changelist"),
        }
        return {**live_context(request, run, read_before(request)), **buttons, "original": run, "problem": ""}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Start a run in one's own name."""
        agents = startable_by(acting_person(request))

        def make_form(*data: Any) -> forms.Form:
            form = StartForm(data[0] if data else None, initial=request.GET.dict())
            cast(Any, form.fields["agent"]).queryset = agents
            return form

        context = {"title": "Start a run", "button": "Start", "back_url": self.page_url("changelist")}
        context["lead"] = (
            "The agent acts on your behalf: you are its principal, and your colleagues decide what it asks."
            if agents.exists()
            else "There is no agent that you may start. Most are started by applications, for their users."
        )
        return serve_form(self, request, make_form, lambda values: self._start(request, values), context)

    def _start(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        person = acting_person(request)
        run = start_run(
            actor=person,
            agent=values["agent"],
            message=values["message"],
            mode=RunMode(values["mode"]),
            task=values["task"],
            form=read_form(values),
            priority=values["priority"],
            issuer=STAFF_ISSUER,
            subject=person.get_username(),
            application=None,
        )
        return HttpResponseRedirect(self.page_url("change", run.pk))

    def answer_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Give a run what it waits for: the user's answer, a person's answer, or what became of a call."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        run = self.get_object(request, str(pk))
        if run is None:
            return self.refuse_unknown(request)
        try:
            messages.success(request, self._answer(request, run))
        except AgentOpsError as error:
            messages.error(request, f"{(error.detail or error.code).capitalize()}. Nothing was changed.")
        from_list = request.POST.get("from") == "held"
        return HttpResponseRedirect(
            reverse("admin:runs_run_held") if from_list else self.page_url("change", run.pk)
        )

    def _answer(self, request: HttpRequest, run: Run) -> str:
        person, given = acting_person(request), request.POST
        text, (step, call) = given.get("text", "").strip(), _place(given)
        kind = given.get("type")
        if kind == "input":
            answer_input(actor=person, run=run, text=text, step=step, call=call)
            return "Your answer went to the agent."
        if kind == "handover":
            handover = Handover.objects.filter(run=run, step=step, call=call).first()
            if handover is None:
                raise NotFound("unknown_handover", "there is no such conversation")
            answer_handover(actor=person, handover=handover, text=text)
            return "Your answer went to the agent, which goes on with it."
        if kind == "veto":
            veto_call(actor=person, run=run, step=step, call=call, reason=text)
            return "Vetoed: the call does not go out, and the agent is told why."
        if kind == "outcome" and given.get("happened") in ("yes", "no"):
            happened = given["happened"] == "yes"
            settle_outcome(actor=person, run=run, step=step, call=call, happened=happened, note=text)
            return (
                f"Noted: the call {'happened' if happened else 'did not happen'}. The run goes on with that."
            )
        raise ValidationFailed("unknown_answer", "say whether it happened")


def _ids_in(word: str) -> list[UUID]:
    try:
        return [UUID(word)]
    except ValueError:
        return []


def _place(given: Any) -> tuple[int, int]:
    """Return step and call of a posted form; Any: a QueryDict."""
    try:
        return int(given.get("step", "")), int(given.get("call", ""))
    except ValueError as error:
        raise ValidationFailed("unknown_place", "this form is not complete; load the page again") from error


register_destination(Destination("Runs", "admin:runs_run_changelist", order=20))
register_streams("run", Run.objects.visible_to)


def _foresee_undos(person: User, runs: QuerySet[Run]) -> list[str]:
    """Return what would become of each effect: who says yes has read that."""
    chosen = list(runs[: MOST_UNDONE + 1])
    allowed = [run for run in chosen[:MOST_UNDONE] if may_undo(person, run).allowed]
    told = [line for run in allowed for line in tell(foresee_undo(actor=person, run=run)).splitlines()]
    more = [f"What becomes of the other runs is told on the page of each: choose up to {MOST_UNDONE}."]
    return [*told, FORECAST, *(more if len(chosen) > MOST_UNDONE else ())] if told else told
