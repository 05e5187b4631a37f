"""Terms of end users: what agents may do with a tool on behalf of one of them, or of each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.templatetags.console import badge
from agentops.errors import NotFound
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal, or_propose
from identities.changes import do_or_propose
from identities.models import ChangeProposal, Principal
from identities.policies import may_govern
from tools.admin.terms_form import PERIODS, CapsForm
from tools.admin.words import join_caps, latest_versions
from tools.models import Tool, UserTerms
from tools.services import Terms, end_user_terms, set_user_terms

ADD = "tools.add_toolgrant"


class UserTermsForm(CapsForm):
    """Of a tool, what may be done on behalf of an end user; of each, where none is named."""

    periods = tuple(period for period in PERIODS if period[0] != "run")
    field_order: Sequence[str] = ("tool", "issuer", "subject")

    issuer = forms.CharField(
        required=False, max_length=200, label="Issuer", help_text="Leave both empty for every end user."
    )
    subject = forms.CharField(required=False, max_length=200, label="Subject")


@admin.register(UserTerms)
class UserTermsAdmin(GovernedAdmin):
    """The terms for tools of the viewer's teams, and those that have ended."""

    add_label = "Set what may be done for end users"
    list_display = ("tool", "end_user", "state_badge", "decision", moment_column("created_at", "set"))
    list_title = "Terms of end users"
    list_select_related = ("tool", "principal")
    page_template = "identities/facts.html"
    actions = ("end",)

    @admin.display(description="end user")
    def end_user(self, terms: UserTerms) -> str:
        """Name the end user, or say that it is each."""
        return str(terms.principal or "every end user")

    @admin.display(description="state")
    def state_badge(self, terms: UserTerms) -> SafeString:
        """Say whether they count."""
        return badge(self.action_state(terms))

    def action_state(self, subject: UserTerms) -> str:
        """Return active or ended."""
        return "active" if subject.ended_at is None else "ended"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who may grant anything."""
        return holds_somewhere(request.user, ADD)

    def has_end_permission(self, request: HttpRequest, obj: UserTerms | None = None) -> bool:
        """Whether this person may end these terms, or some."""
        if obj is None:
            return self.has_add_permission(request)
        return may_govern(acting_person(request), ADD, obj.tool.team, obj.tool).allowed

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("tool__team", "principal", "created_by")

    def page_context(self, request: HttpRequest, subject: UserTerms) -> dict[str, Any]:
        """Add the terms in words."""
        latest = latest_versions([subject.tool]).get(subject.tool_id)
        caps = join_caps(subject.caps, latest.currency if latest else "")
        facts = {
            "State": self.action_state(subject),
            "Tool": subject.tool,
            "On behalf of": self.end_user(subject),
            "What happens": subject.get_decision_display(),
            "Caps, for each of them": caps or "none",
            "Beyond the caps": subject.get_over_caps_display() if caps else "",
            "Set by": subject.created_by,
            "Ended": subject.ended_at or "not yet",
        }
        return {"facts": facts, "stream": subject.tool_id}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set terms; they replace what stands for the same end user."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        tools = Tool.objects.visible_to(acting_person(request)).exclude(state="retired")
        made: list[UserTermsForm] = []

        def make_form(*data: Any) -> forms.Form:
            made.append(UserTermsForm(*data, initial=request.GET.dict(), tools=tools))
            return made[-1]

        context = {
            "title": "Set what may be done for end users",
            "button": "Set these terms",
            "lead": "They take away from what agents were granted, and give nothing. Caps are for each end user.",
            "back_url": self.page_url("changelist"),
        }
        submit = partial(self._set, request, made)
        return serve_form(self, request, make_form, submit, context, "tools/terms_form.html")

    def _set(self, request: HttpRequest, made: list[UserTermsForm], values: dict[str, Any]) -> HttpResponse:
        form, tool = made[-1], values["tool"]
        terms = Terms(values["decision"], tuple(form.caps()), values["over_caps"])
        principal = _find_principal(tool, values["issuer"], values["subject"])
        person = acting_person(request)
        row = do_or_propose(
            actor=person,
            act=lambda: set_user_terms(actor=person, tool=tool, principal=principal, terms=terms),
        )
        if isinstance(row, ChangeProposal):
            return lead_to_proposal(request, row)
        return HttpResponseRedirect(self.page_url("change", row.pk))

    @offered_when("active", danger=True)
    @admin.action(permissions=["end"], description="End")
    def end(self, request: HttpRequest, queryset: QuerySet[UserTerms]) -> HttpResponse:
        """End terms: grants alone decide from then on."""
        person = acting_person(request)
        asked = Confirmation("End these terms? Grants alone decide from now on.", "ended", reason="none")
        act = or_propose(request, lambda terms, _: end_user_terms(actor=person, terms=terms))
        return perform(self, request, queryset, act, asked)


def _find_principal(tool: Tool, issuer: str, subject: str) -> Principal | None:
    """Return the end user that was named, None for each; raises NotFound for one that no run was for yet."""
    if not (issuer or subject):
        return None
    found = Principal.objects.filter(team=tool.team_id, issuer=issuer, subject=subject).first()
    if found is None:
        raise NotFound("unknown_principal", "No run was for this end user yet.")
    return found


register_destination(
    Destination("Terms of end users", "admin:tools_userterms_changelist", order=65, section="Govern")
)
