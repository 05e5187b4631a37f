"""The inbox: who wants to do what to whom, and the decision, which is ``approvals.services.decide``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from agentops.api.limits import count_request, read_policy
from agentops.console.second_factor import accept_code
from agentops.console.security_keys import take_signature
from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from approvals.admin.filters import read_query
from approvals.admin.pages import after_context, decision_context, request_context
from approvals.admin.queue import TABS, find_default, read_queue
from approvals.admin.together import TogetherPages
from approvals.batches.opened import note_opened
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.saved_views import drop_view, keep_view, read_views
from approvals.services import decide
from identities.acting import acting_person
from identities.factors import has_fresh_factor

STATUS: dict[type[AgentOpsError], int] = {
    NotFound: 404, StateConflict: 409, ValidationFailed: 422, PolicyDenied: 403,
}  # fmt: skip
SAID = {
    ApprovalRequest.State.APPROVED: "You approved this request.",
    ApprovalRequest.State.DENIED: "You denied this request.",
    ApprovalRequest.State.WAITING: "You approved this request; it takes somebody else's yes, too.",
}


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(TogetherPages):
    """The list at the left, one request at the right; htmx replaces either, links work without it."""

    actions = None

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses that decisions, and views to keep, are sent to."""
        decision, views = (self.admin_site.admin_view(view) for view in (self.decision_view, self.views_view))
        return [
            path("<uuid:pk>/decision/", decision, name="approvals_approvalrequest_decision"),
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
        first = queue.requests[0] if queue.requests else None
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
        return super().get_queryset(request).select_related(*related)

    def _decide(self, request: HttpRequest, asked: ApprovalRequest) -> HttpResponse:
        if count_request(read_policy("write"), str(acting_person(request).pk)).is_exceeded:
            return self._render_decision(
                request, asked, {"problem": "Too many requests. Wait a minute."}, 429
            )
        if problem := accept_code(request):
            return self._render_decision(request, asked, {"problem": problem}, 403)
        verdict, digest = request.POST.get("verdict", ""), request.POST.get("digest", "")
        try:
            decided = decide(
                actor=acting_person(request),
                request=asked,
                verdict=verdict,
                reason=request.POST.get("reason", "").strip(),
                digest=digest,
                channel=ApprovalDecision.Channel.CONSOLE,
                second_factor=has_fresh_factor(acting_person(request)),
                signature=take_signature(request, f"{verdict}:{digest}"),
            )
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
        status = next((number for kind, number in STATUS.items() if isinstance(error, kind)), 400)
        present = self.get_object(request, str(asked.pk)) or asked
        stale = isinstance(error, StateConflict)
        return self._render_decision(
            request, present, {"problem": error.detail or error.code, "stale": stale}, status
        )

    def _render_decision(
        self, request: HttpRequest, asked: ApprovalRequest, extra: dict[str, Any], status: int
    ) -> HttpResponse:
        user = acting_person(request)
        extra = {"given_reason": request.POST.get("reason", ""), **extra}
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
