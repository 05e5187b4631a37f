"""The inbox: who wants to do what to whom, and the decision, which is ``approvals.services.decide``."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import JSONObject
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from agentops.api.limits import count_request, read_policy
from agentops.console.second_factor import accept_code
from agentops.console.security_keys import take_signature
from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from approvals.admin.editing import HAVE, edit_context, form_of, have, look
from approvals.admin.filters import read_query
from approvals.admin.pages import after_context, decision_context, request_context
from approvals.admin.queue import TABS, find_default, read_queue
from approvals.admin.together import TogetherPages
from approvals.batches.opened import note_opened
from approvals.edits import Look
from approvals.models import ApprovalDecision, ApprovalParent, ApprovalRequest
from approvals.questions import ask_agent
from approvals.saved_views import drop_view, keep_view, read_views
from approvals.services import decide
from identities.acting import acting_person
from identities.factors import has_fresh_factor
from tools.admin.schema_form import ArgumentsForm

STATUS: dict[type[AgentOpsError], int] = {
    NotFound: 404, StateConflict: 409, ValidationFailed: 422, PolicyDenied: 403,
}  # fmt: skip
MOST_PARTS = 1_000
SAID = {
    ApprovalRequest.State.APPROVED: "You approved this request.",
    ApprovalRequest.State.DENIED: "You denied this request.",
    ApprovalRequest.State.EDITED: "You edited the call; the agent goes on with it as you have it.",
    ApprovalRequest.State.ASKED: "You asked the agent; if it still wants this, it asks anew, with its answer.",
    ApprovalRequest.State.WAITING: "You approved this request; it takes somebody else's yes, too.",
}


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(TogetherPages):
    """The list at the left, one request at the right; htmx replaces either, links work without it."""

    actions = None

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses that decisions, and views to keep, are sent to."""
        ours = (self.decision_view, self.edit_view, self.views_view)
        decision, edit, views = (self.admin_site.admin_view(view) for view in ours)
        return [
            path("<uuid:pk>/decision/", decision, name="approvals_approvalrequest_decision"),
            path("<uuid:pk>/edit/", edit, name="approvals_approvalrequest_edit"),
            path("views/", views, name="approvals_approvalrequest_views"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the inbox with its first request open."""
        views = read_views(acting_person(request))
        if query := find_default(request, views):
            return HttpResponseRedirect(f"{self.page_url('changelist')}?{query}")
        queue = read_queue(request, acting_person(request), views)
        if request.headers.get("HX-Target") == "queue":
            return TemplateResponse(request, "approvals/queue.html", {"queue": queue, "tabs": TABS})
        first = self.get_object(request, str(queue.requests[0].pk)) if queue.requests else None
        context = request_context(request, acting_person(request), first) if first else {}
        return self._render_inbox(request, {"queue": queue, "chosen": False, **context})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one request, with the inbox around it unless htmx asks for the request alone."""
        asked = self.get_object(request, unquote(object_id))
        if asked is None:
            return self.refuse_unknown(request)
        if request.headers.get("HX-Target") == "request-after":
            return TemplateResponse(request, "approvals/after.html", after_context(request, asked))
        if "unasked" not in request.GET:  # the page opens the first one by itself
            note_opened(acting_person(request), asked)
        context = request_context(request, acting_person(request), asked)
        if request.headers.get("HX-Target") == "request":
            return TemplateResponse(request, "approvals/request.html", context)
        queue = read_queue(request, acting_person(request))
        return self._render_inbox(request, {"queue": queue, "chosen": True, **context})

    def decision_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Take a decision (POST), or say what became of the request since the page was loaded (GET)."""
        asked = self.get_object(request, str(pk))
        if asked is None:
            return self.refuse_unknown(request)
        if request.method == "POST":
            return self._decide(request, asked)
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET", "POST"])
        if asked.state == ApprovalRequest.State.WAITING:
            return HttpResponse(status=204)
        return self._show_outcome(request, asked)

    def edit_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show the arguments in a form, then what the call would be with others, and have it made like that."""
        asked = self.get_object(request, str(pk))
        if asked is None:
            return self.refuse_unknown(request)
        if request.method == "POST" and (answer := self._too_many(request, asked)):
            return answer
        form, seen, error = form_of(request, asked), None, None
        try:
            if request.POST.get("step") == HAVE:
                edited = self._have(request, asked)
                messages.success(request, SAID[ApprovalRequest.State(edited.state)])
                return HttpResponseRedirect(self.page_url("change", asked.pk))
            seen = look(request, asked, form) if request.method == "POST" else None
        except AgentOpsError as refused:
            error, seen = refused, self._look_again(request, asked, form, refused)
        return self._render_edit(request, self.get_object(request, str(pk)) or asked, form, seen, error)

    def _have(self, request: HttpRequest, asked: ApprovalRequest) -> ApprovalRequest:
        if problem := accept_code(request):
            raise PolicyDenied("wrong_code", problem.rstrip("."))
        return have(request, asked)

    def _look_again(
        self, request: HttpRequest, asked: ApprovalRequest, form: ArgumentsForm, refused: AgentOpsError
    ) -> Look | None:
        """Return what was looked at, where only its confirmation failed."""
        if request.POST.get("step") != HAVE or isinstance(refused, StateConflict | NotFound):
            return None
        with suppress(AgentOpsError):
            return look(request, asked, form)
        return None

    def _too_many(self, request: HttpRequest, asked: ApprovalRequest) -> HttpResponse | None:
        if not count_request(read_policy("write"), str(acting_person(request).pk)).is_exceeded:
            return None
        return self._render_decision(request, asked, {"problem": "Too many requests. Wait a minute."}, 429)

    def _render_edit(
        self, request: HttpRequest, asked: ApprovalRequest, form: ArgumentsForm, seen: Look | None,
        error: AgentOpsError | None,
    ) -> TemplateResponse:  # fmt: skip
        status = 200 if error is None else _status_of(error)
        if form.is_bound and not form.is_valid():
            status = 422
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Edit the call",
            **edit_context(request, asked, form, seen, error),
        }
        return TemplateResponse(request, "approvals/edit.html", context, status=status)

    def views_view(self, request: HttpRequest) -> HttpResponse:
        """Keep the filters that are sent under a name, or forget the view of that name (POST)."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        person, name = acting_person(request), request.POST.get("name", "")
        query = read_query(request.POST.get("query", "")).query
        if count_request(read_policy("write"), str(person.pk)).is_exceeded:
            messages.error(request, "Too many requests. Wait a minute.")
        elif request.POST.get("act") == "drop":
            drop_view(actor=person, name=name)
        else:
            try:
                keep_view(actor=person, name=name, query=query, is_default="is_default" in request.POST)
            except AgentOpsError as error:
                messages.error(request, f"{error.detail.capitalize()}. Nothing was kept.")
        return HttpResponseRedirect(f"{self.page_url('changelist')}?{query}")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Load what the page names; Any: the admin's own signature."""
        related = "identity", "tool", "tool_version", "principal", "application", "requested_by"
        return super().get_queryset(request).select_related(*related).annotate(acts_for=_acts_for())

    def _decide(self, request: HttpRequest, asked: ApprovalRequest) -> HttpResponse:
        if answer := self._too_many(request, asked):
            return answer
        if problem := accept_code(request):
            return self._render_decision(request, asked, {"problem": problem}, 403)
        try:
            decided = _act(request, asked)
        except AgentOpsError as error:
            return self._refuse(request, asked, error)
        if request.headers.get("HX-Request"):
            return self._show_outcome(request, self.get_queryset(request).get(pk=asked.pk), just_now=True)
        messages.success(request, SAID[ApprovalRequest.State(decided.state)])
        return HttpResponseRedirect(self.page_url("change", asked.pk))

    def _show_outcome(
        self, request: HttpRequest, asked: ApprovalRequest, *, just_now: bool = False
    ) -> HttpResponse:
        """Show the decided request in place of the one with the form, on the same page."""
        context = {**request_context(request, acting_person(request), asked), "just_now": just_now}
        response = TemplateResponse(request, "approvals/request.html", context)
        response["HX-Retarget"] = "#request"
        response["HX-Trigger"] = "decided"
        return response

    def _refuse(self, request: HttpRequest, asked: ApprovalRequest, error: AgentOpsError) -> HttpResponse:
        status = _status_of(error)
        present = self.get_object(request, str(asked.pk)) or asked
        stale = isinstance(error, StateConflict)
        told = {"problem": error.detail or error.code, "stale": stale}
        told["is_too_late"] = error.code == "approval_expired"
        return self._render_decision(request, present, told, status)

    def _render_decision(
        self, request: HttpRequest, asked: ApprovalRequest, extra: dict[str, Any], status: int
    ) -> HttpResponse:
        user = acting_person(request)
        given = {f"given_{name}": request.POST.get(name, "") for name in ("reason", "preset", "unfolded")}
        extra = {**given, **extra}
        if request.headers.get("HX-Request"):
            context = {**decision_context(request, user, asked), **extra}
            return TemplateResponse(request, "approvals/decision.html", context, status=status)
        context = {
            "queue": read_queue(request, user),
            "chosen": True,
            **request_context(request, user, asked),
            **extra,
        }
        return self._render_inbox(request, context, status)

    def _render_inbox(
        self, request: HttpRequest, context: dict[str, Any], status: int = 200
    ) -> TemplateResponse:
        everything = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Inbox",
            "tabs": TABS,
            **context,
        }
        return TemplateResponse(request, "approvals/inbox.html", everything, status=status)


def _act(request: HttpRequest, asked: ApprovalRequest) -> ApprovalRequest:
    """Do what the pressed button says: approve, deny, or ask the agent."""
    verdict, digest = request.POST.get("verdict", ""), request.POST.get("digest", "")
    words, person = request.POST.get("reason", "").strip(), acting_person(request)
    channel, second_factor = ApprovalDecision.Channel.CONSOLE, has_fresh_factor(person)
    if verdict == ApprovalDecision.Verdict.ASK:
        return ask_agent(
            actor=person, request=asked, question=words, digest=digest, channel=channel, second_factor=second_factor
        )  # fmt: skip
    return decide(
        actor=person, request=asked, verdict=verdict, reason=words, digest=digest, channel=channel,
        second_factor=second_factor, signature=take_signature(request, f"{verdict}:{digest}"),
        unfolded=_read_unfolded(request.POST.get("unfolded", "")),
        preset=request.POST.get("preset", "") if verdict == ApprovalDecision.Verdict.DENY else "",
    )  # fmt: skip


def _read_unfolded(told: str) -> int | None:
    """Return how many parts of the page the browser says were unfolded; it counts towards nothing but a figure."""
    return min(MOST_PARTS, int(told)) if told.isascii() and told.isdigit() and len(told) < 9 else None


def _status_of(error: AgentOpsError) -> int:
    return next((number for kind, number in STATUS.items() if isinstance(error, kind)), 400)


def _acts_for() -> ArraySubquery:
    """Say who gave the agent its task, the nearest first, in the statement that reads the request."""
    named = JSONObject(id="identity_id", name="identity__name")
    parents = ApprovalParent.objects.filter(request=OuterRef("pk")).order_by("place")
    return ArraySubquery(parents.values(told=named))
