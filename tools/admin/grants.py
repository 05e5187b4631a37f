"""Grants: read-only rows; a change is a new version through ``set_grant``, a waiver takes two signatures."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal
from identities.changes import do_or_propose
from identities.models import AgentIdentity, ChangeProposal
from identities.policies import may_govern
from tools.admin.terms_form import TermsForm, WaiverForm, initial_of
from tools.admin.words import describe_terms, latest_versions
from tools.models import CapUsage, Tool, ToolGrant
from tools.services import Waiver, revoke_grant, set_grant, sign_waiver

ADD = "tools.add_toolgrant"
WINDOWS_SHOWN = 10


@admin.register(ToolGrant)
class ToolGrantAdmin(GovernedAdmin):
    """Who may use what: the grants of the agents of the viewer's teams, with their history."""

    page_template = "tools/grant.html"
    add_label = "Set what an agent may do"
    list_display = (
        "grant_name",
        state_column(),
        "decision",
        moment_column("valid_until", "ends"),
        moment_column("waiver_expires_at", "waiver ends"),
        moment_column("created_at", "set"),
    )
    list_title = "Grants"
    list_filter = ("state", "decision", ("identity", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("identity", "tool")
    search_fields = ("identity__name", "identity__slug", "tool__name")
    ordering = ("state", "identity__slug", "tool__name", "-version")
    actions = ("revoke",)

    @admin.display(description="grant")
    def grant_name(self, grant: ToolGrant) -> str:
        """Name the two sides and the version."""
        return f"{grant.identity} · {grant.tool} · version {grant.version}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who may grant anything."""
        return holds_somewhere(request.user, ADD)

    def has_revoke_permission(self, request: HttpRequest, obj: ToolGrant | None = None) -> bool:
        """Whether this person may take the grant, or some grant, away."""
        if obj is None:
            return self.has_add_permission(request)
        return may_govern(acting_person(request), ADD, obj.identity.team, obj.identity).allowed

    def get_urls(self) -> list[URLPattern]:
        """Add the form for waivers."""
        view = self.admin_site.admin_view(self.waiver_view)
        return [path("waiver/", view, name="tools_toolgrant_waiver"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        related = "identity__team", "tool", "waived_by", "countersigned_by", "created_by"
        return super().get_queryset(request).select_related(*related)

    def page_context(self, request: HttpRequest, subject: ToolGrant) -> dict[str, Any]:
        """Add the terms in words, what has been used of the caps, and the other versions."""
        same = ToolGrant.objects.filter(identity=subject.identity_id, tool=subject.tool_id)
        used = CapUsage.objects.filter(identity=subject.identity_id, tool=subject.tool_id)
        latest = latest_versions([subject.tool]).get(subject.tool_id)
        return {
            "latest": latest,
            "terms": describe_terms(subject, latest),
            "usage": used.exclude(window__startswith="run:").order_by("-pk")[:WINDOWS_SHOWN],
            "versions": same.select_related("created_by").order_by("-version")[:20],
            "proposed": ChangeProposal.objects.visible_to(acting_person(request))
            .waiting(timezone.now())
            .filter(subject=f"{subject.identity_id}:{subject.tool_id}"),
            "may_change": self.has_revoke_permission(request, subject),
        }

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set the terms of a grant; ``?from=`` starts from those of another version."""
        context = {
            "title": "Set what an agent may do with a tool",
            "button": "Set these terms",
            "lead": "The terms replace what stands now; the old version stays readable. "
            "Calls that wait already are checked against the new terms before they go out.",
        }
        return self._serve(request, TermsForm, self._set, context)

    def waiver_view(self, request: HttpRequest) -> HttpResponse:
        """Sign a waiver: the second of two equal signatures puts it into force."""
        context = {
            "title": "Sign a waiver",
            "button": "Sign in my name",
            "lead": "A waiver lets an irreversible tool run without a person, within caps and until a day. "
            "It takes the same form, filled in alike, from two people.",
        }
        return self._serve(request, WaiverForm, self._sign, context)

    def _serve(
        self, request: HttpRequest, form_class: type[TermsForm], submit: Any, context: dict[str, Any]
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        person = acting_person(request)
        made: list[TermsForm] = []

        def make_form(*data: Any) -> forms.Form:
            made.append(
                form_class(
                    *data,
                    initial=self._initial(request),
                    agents=AgentIdentity.objects.visible_to(person).exclude(state="revoked"),
                    tools=Tool.objects.visible_to(person).exclude(state="retired"),
                )
            )
            return made[-1]

        back = {"back_url": self.page_url("changelist")}
        return serve_form(
            self,
            request,
            make_form,
            lambda _: submit(request, made[-1]),
            {**context, **back},
            "tools/terms_form.html",
        )

    def _initial(self, request: HttpRequest) -> dict[str, Any]:
        source = self.get_object(request, request.GET.get("from", ""))
        return initial_of(source) if source else request.GET.dict()

    def _set(self, request: HttpRequest, form: TermsForm) -> HttpResponse:
        values, person = form.cleaned_data, acting_person(request)
        where = {"identity": values["identity"], "tool": values["tool"]}
        grant = do_or_propose(actor=person, act=lambda: set_grant(actor=person, **where, terms=form.terms()))
        if isinstance(grant, ChangeProposal):
            return lead_to_proposal(request, grant)
        messages.success(
            request, f"{grant.identity} and {grant.tool}: version {grant.version} of the terms counts now."
        )
        return HttpResponseRedirect(self.page_url("change", grant.pk))

    def _sign(self, request: HttpRequest, form: WaiverForm) -> HttpResponse:
        values = form.cleaned_data
        grant = sign_waiver(
            actor=acting_person(request),
            identity=values["identity"],
            tool=values["tool"],
            terms=form.terms(),
            waiver=Waiver(values["reason"], values["expires_at"]),
        )
        if grant is None:
            messages.success(request, "Signed. It counts once another person has signed the very same terms.")
            return HttpResponseRedirect(self.page_url("changelist"))
        messages.success(
            request, f"Signed by two: {grant.identity} may use {grant.tool} without a person now."
        )
        return HttpResponseRedirect(self.page_url("change", grant.pk))

    @offered_when("active", danger=True)
    @admin.action(permissions=["revoke"], description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ToolGrant]) -> HttpResponse:
        """Take grants away; the next call is denied."""
        person = acting_person(request)
        asked = Confirmation("Take this grant away? The agent's next call of the tool is denied.", "revoked")
        return perform(
            self,
            request,
            queryset,
            lambda grant, reason: revoke_grant(actor=person, grant=grant, reason=reason),
            asked,
        )


register_destination(Destination("Grants", "admin:tools_toolgrant_changelist", order=60, section="Govern"))
