"""Review capacity: what each team's people can decide in an hour, how much waits for them, and who is held back."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from agentops.console.actions import Confirmation, perform
from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.panels import Panel, register_panel
from agentops.console.rights import holds_somewhere
from approvals.capacity import MOST_PER_HOUR, PERMISSION, set_review_capacity
from approvals.models import ReviewCapacity
from identities.acting import acting_person
from identities.models import Team
from identities.policies import may_govern
from runs.reviewing import read_reviewing, read_waiting

PAGE = "admin:approvals_reviewcapacity_changelist"
SHOWN = 4


class CapacityForm(forms.Form):
    """How many decisions one person can answer for in an hour."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    per_approver_hour = forms.IntegerField(
        min_value=1,
        max_value=MOST_PER_HOUR,
        label="Decisions that one approver can answer for in an hour",
        help_text="When more waits than all of them can decide in an hour, runs that may ask them wait to begin.",
    )


@admin.register(ReviewCapacity)
class ReviewCapacityAdmin(GovernedAdmin):
    """The bounds of the viewer's teams; the page of each shows how things stand."""

    set_when = staticmethod(moment_column("set_at", "set"))
    add_label = "Say what a team can review"
    list_display = ("team", "per_approver_hour", "set_by", "set_when")
    list_select_related = ("team", "set_by")
    ordering = ("team__slug",)
    page_template = "identities/facts.html"
    actions = ("lift",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who may set it anywhere."""
        return holds_somewhere(request.user, PERMISSION)

    def has_lift_permission(self, request: HttpRequest, obj: ReviewCapacity | None = None) -> bool:
        """Whether this person may take this bound away, or some."""
        if obj is None:
            return self.has_add_permission(request)
        return may_govern(acting_person(request), PERMISSION, obj.team).allowed

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("team", "set_by")

    def page_context(self, request: HttpRequest, subject: ReviewCapacity) -> dict[str, Any]:
        """Add how things stand."""
        reviewing = read_reviewing(ReviewCapacity.objects.filter(pk=subject.pk))
        crowd = reviewing[0].crowd
        facts = {
            "Team": subject.team,
            "One approver can answer for": f"{subject.per_approver_hour} decisions an hour",
            "Approvers": crowd.load.approvers,
            "All of them": f"{crowd.load.capacity} decisions an hour",
            "Requests that wait": crowd.load.waiting,
            "Runs under way that may ask": crowd.under_way,
            "Runs held back": reviewing[0].told or "none",
            "Set by": subject.set_by,
        }
        return {"facts": facts, "stream": subject.pk}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set what a team can review."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        person = acting_person(request)

        def make_form(*data: Any) -> forms.Form:
            form = CapacityForm(*data)
            cast(Any, form.fields["team"]).queryset = Team.objects.visible_to(
                person
            )  # Any: generic in the stubs
            return form

        def submit(values: dict[str, Any]) -> HttpResponse:
            row = set_review_capacity(actor=person, **values)
            return HttpResponseRedirect(self.page_url("change", row.pk if row else ""))

        context = {
            "title": "What a team can review",
            "button": "Set it",
            "lead": "Nothing is ever decided for want of people: runs wait to begin, those of high priority first.",
            "back_url": self.page_url("changelist"),
        }
        return serve_form(self, request, make_form, submit, context)

    @admin.action(permissions=["lift"], description="Lift")
    def lift(self, request: HttpRequest, queryset: QuerySet[ReviewCapacity]) -> HttpResponse:
        """Take bounds away."""
        person = acting_person(request)
        asked = Confirmation(
            "Let runs begin however much waits for this team's people?", "lifted", reason="none"
        )

        def act(row: ReviewCapacity, _: str) -> object:
            return set_review_capacity(actor=person, team=row.team, per_approver_hour=None)

        return perform(self, request, queryset, act, asked)


def read_load(
    request: HttpRequest, subject: Any
) -> dict[str, Any] | None:  # Any: the dashboard has no subject
    """Return the teams with most before them; nothing where nothing waits and nobody is bounded."""
    rows = read_waiting(Team.objects.visible_to(acting_person(request)))
    return {"rows": rows[:SHOWN]} if rows else None


register_panel(
    Panel("dashboard", "Reviewers, fullest first", "runs/reviewing.html", read_load, 36, PAGE, "third")
)
register_destination(Destination("Review capacity", PAGE, order=67, section="Govern"))
