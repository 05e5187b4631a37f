"""What the pages of a team's rules have in common: each is in force until it is ended, and a change sets another."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.rights import holds_somewhere
from agentops.console.templatetags.console import badge
from approvals.governing import PERMISSION
from identities.acting import acting_person
from identities.policies import may_govern


class StandingRuleAdmin(GovernedAdmin):
    """Rules of the viewer's teams, those in force first; Any, below: a rule of either kind."""

    add_label = "Set a rule"
    page_template = "identities/facts.html"
    rule_form: ClassVar[Any]  # a form that is made for a person
    lead = ""

    @admin.display(description="state")
    def state_badge(self, rule: Any) -> SafeString:
        """Say whether it counts."""
        return badge(self.action_state(rule))

    def action_state(self, subject: Any) -> str:
        """Return active or ended."""
        return "active" if subject.ended_at is None else "ended"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who may set a rule anywhere."""
        return holds_somewhere(request.user, PERMISSION)

    def has_end_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether this person may end this rule, or some."""
        if obj is None:
            return self.has_add_permission(request)
        return may_govern(acting_person(request), PERMISSION, obj.team).allowed

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("team", "created_by")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set a rule; it takes the place of the one that stands."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        context = {
            "title": self.list_title,
            "button": "Set this rule",
            "lead": self.lead,
            "back_url": self.page_url("changelist"),
        }
        make_form = partial(self.rule_form, person=acting_person(request))
        return serve_form(self, request, make_form, partial(self.set_rule, request), context)

    def set_rule(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        """Set what the form says, or propose it; lead to where that is seen."""
        raise NotImplementedError
