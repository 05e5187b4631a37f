"""Out of office: who stands in for whom, and the form that says so."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.templatetags.console import badge
from approvals.absences import (
    NAMED,
    PERMISSION,
    REASON_LIMIT,
    Leave,
    declare_absence,
    end_absence,
    find_deputies,
    state_of,
    tell_scope,
    tools_to_approve,
)
from approvals.models import Absence
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal
from identities.changes import do_or_propose
from identities.models import ChangeProposal, Team, User
from identities.policies import may_govern
from tools.models import Tool

MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


class LeaveForm(forms.Form):
    """Who is away, who stands in, from when until when and for what."""

    absent = forms.ModelChoiceField(
        queryset=User.objects.none(), required=False, empty_label="yourself", label="Who is away",
        help_text="For somebody else it takes a second person.",
    )  # fmt: skip
    deputy = forms.ModelChoiceField(
        queryset=User.objects.none(), help_text="Whoever has calls of the team to approve already."
    )
    begins_at = forms.DateTimeField(widget=MOMENT, label="From")
    ends_at = forms.DateTimeField(widget=MOMENT, label="Until", help_text="At most 30 days later.")
    reason = forms.CharField(max_length=REASON_LIMIT)
    team = forms.ModelChoiceField(queryset=Team.objects.none(), required=False, empty_label="every team")
    tool = forms.ModelChoiceField(queryset=Tool.objects.none(), required=False, empty_label="every tool")
    group = forms.ModelChoiceField(
        queryset=Group.objects.none(), required=False, empty_label="whatever it is",
        label="Only as one of this group",
    )  # fmt: skip

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tools = Tool.objects.filter(
            tools_to_approve(person) | Q(pk__in=Tool.objects.visible_to(person).values("pk"))
        )
        teams: QuerySet[Team] = Team.objects.filter(
            Q(pk__in=Team.objects.visible_to(person).values("pk")) | Q(pk__in=tools.values("team"))
        )
        deputies = find_deputies(teams)
        groups = Group.objects.filter(user=person)
        if holds_somewhere(person, PERMISSION):
            groups = Group.objects.filter(Q(user=person) | Q(user__in=deputies)).distinct()
        else:
            del self.fields["absent"]
        choices = {"absent": deputies.exclude(pk=person.pk), "deputy": deputies, "team": teams, "tool": tools}
        for name, rows in {**choices, "group": groups.order_by("name")}.items():
            if name in self.fields:
                cast(Any, self.fields[name]).queryset = rows  # Any: generic in the stubs only

    def leave(self, person: User) -> Leave:
        """Return the absence that a valid form holds."""
        values = dict(self.cleaned_data)
        return Leave(**{**values, "absent": values.get("absent") or person})


@admin.register(Absence)
class AbsenceAdmin(GovernedAdmin):
    """One's own absences and deputyships, and those of one's teams."""

    add_label = "Name a deputy"
    empty_words = "Nobody is away. Name a deputy before you leave: what waits for you can be decided then."
    list_display = (
        "who",
        "scope",
        moment_column("begins_at", "from"),
        moment_column("ends_at", "until"),
        "state",
    )
    list_select_related = NAMED
    list_title = "Out of office"
    page_template = "identities/facts.html"
    actions = ("end",)

    @admin.display(description="deputy")
    def who(self, absence: Absence) -> str:
        """Name both."""
        return str(absence)

    @admin.display(description="for")
    def scope(self, absence: Absence) -> str:
        """Say what for."""
        return tell_scope(absence)

    @admin.display(description="state")
    def state(self, absence: Absence) -> SafeString:
        """Say whether it counts."""
        return badge(self.action_state(absence))

    def action_state(self, subject: Absence) -> str:
        """Return planned, active, over or ended."""
        return state_of(subject, timezone.now())

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who decide about something, and to those who name deputies of others."""
        person = acting_person(request)
        return holds_somewhere(person, PERMISSION) or Tool.objects.filter(tools_to_approve(person)).exists()

    def has_end_permission(self, request: HttpRequest, obj: Absence | None = None) -> bool:
        """Whether this person may end this absence, or some."""
        person = acting_person(request)
        if obj is None or person.pk in (obj.absent_id, obj.deputy_id):
            return True
        return may_govern(person, PERMISSION, obj.team).allowed

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related(*NAMED)

    def page_context(self, request: HttpRequest, subject: Absence) -> dict[str, Any]:
        """Say it in words."""
        facts = {
            "State": self.action_state(subject),
            "Away": subject.absent,
            "Deputy": subject.deputy,
            "For": tell_scope(subject),
            "From": subject.begins_at,
            "Until": subject.ends_at,
            "Reason": subject.reason,
            "Said by": subject.declared_by,
            "Taken back": subject.ended_at or "no",
        }
        return {"facts": facts, "stream": subject.absent_id}

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the page: what happened is an entry of the absent's own stream."""
        return HttpResponseRedirect(self.page_url("change", object_id))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Name a deputy."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        person, made = acting_person(request), list[LeaveForm]()

        def make_form(*data: Any) -> forms.Form:
            made.append(LeaveForm(*data, person=person))
            return made[-1]

        context = {
            "title": "Out of office",
            "button": "Let them decide",
            "lead": "While it stands the deputy may decide what you could decide; the two of you have one yes. "
            "Who has a part in a run stays apart, and so does a deputy of theirs.",
            "back_url": self.page_url("changelist"),
        }
        return serve_form(self, request, make_form, partial(self._declare, request, made), context)

    def _declare(self, request: HttpRequest, made: list[LeaveForm], values: dict[str, Any]) -> HttpResponse:
        person = acting_person(request)
        leave = made[-1].leave(person)
        row = do_or_propose(actor=person, act=lambda: declare_absence(actor=person, leave=leave))
        if isinstance(row, ChangeProposal):
            return lead_to_proposal(request, row)
        return HttpResponseRedirect(self.page_url("change", row.pk))

    @offered_when("planned", "active", danger=True)
    @admin.action(permissions=["end"], description="End")
    def end(self, request: HttpRequest, queryset: QuerySet[Absence]) -> HttpResponse:
        """Take the deputies' seats back."""
        person = acting_person(request)
        asked = Confirmation(
            "End this now? What the deputy approved and nobody has used yet does not count any more.",
            "ended", reason="none",
        )  # fmt: skip
        return perform(
            self, request, queryset, lambda absence, _: end_absence(actor=person, absence=absence), asked
        )


register_destination(Destination("Out of office", "admin:approvals_absence_changelist", order=15))
