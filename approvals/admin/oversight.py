"""Oversight: how well people decide, the rules about it, and second looks."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.navigation import Destination, register_destination
from approvals.admin.standing import StandingRuleAdmin
from approvals.models import OversightRule, PassedRequest
from approvals.oversight import read_report
from approvals.oversight_rules import (
    LONGEST_S,
    MOST_APPROVALS,
    Oversight,
    digest_seed,
    set_oversight_rule,
    tell_rest_rule,
    tell_second_rule,
)
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal, or_propose
from identities.changes import do_or_propose
from identities.models import ChangeProposal, Team, User

PAGE = "admin:approvals_oversightrule_report"
MOST_ALONE = 20


class OversightForm(forms.Form):
    """A rule; it takes the place of the team's."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    most = forms.IntegerField(
        required=False, min_value=2, max_value=MOST_APPROVALS, label="Who approves so many times",
        help_text="The three left empty: nobody has to rest.",
    )  # fmt: skip
    within_s = forms.IntegerField(
        required=False, min_value=1, max_value=LONGEST_S, label="within so many seconds, without a rest"
    )
    pause_s = forms.IntegerField(
        required=False, min_value=1, max_value=LONGEST_S, label="approves nothing for so many seconds"
    )
    second_percent = forms.IntegerField(
        min_value=0,
        max_value=100,
        initial=0,
        label="So much of what is asked a second person looks at, in per cent",
    )
    second_below = forms.DecimalField(
        required=False, min_value=0, max_digits=20, decimal_places=4, label="of what moves less than",
        help_text="Left empty: whatever it moves. What is doubtful is never among it.",
    )  # fmt: skip
    currency = forms.CharField(required=False, max_length=8, label="in this currency")
    before_effect = forms.BooleanField(
        required=False, label="The second person looks before the call goes out: it takes their yes"
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(Any, self.fields["team"]).queryset = Team.objects.visible_to(
            person
        )  # Any: generic in the stubs only


@admin.register(OversightRule)
class OversightRuleAdmin(StandingRuleAdmin):
    """The rules of the viewer's teams, those in force first, and the report beside them."""

    list_display = ("team", "rests", "looks", "state_badge", moment_column("created_at", "set"))
    list_select_related = ("team",)
    list_title = "How deciders are watched over"
    ordering = ("-ended_at", "team")  # nulls, which are those in force, come first
    actions = ("end",)
    rule_form = OversightForm
    lead = "Who has to rest may still deny, and ask the agent; what waits is decided by others meanwhile."

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the report."""
        report = self.admin_site.admin_view(self.report_view)
        return [path("report/", report, name="approvals_oversightrule_report"), *super().get_urls()]

    def report_view(self, request: HttpRequest) -> HttpResponse:
        """Show how people have decided, by person and by week."""
        person = acting_person(request)
        standing = OversightRule.objects.visible_to(person).standing().select_related("team")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Oversight",
            "report": read_report(person, timezone.now()),
            "rules": [(rule, tell_rest_rule(rule), tell_second_rule(rule)) for rule in standing],
            "alone": _read_alone(person),
            "may_set": self.has_add_permission(request),
        }
        return TemplateResponse(request, "approvals/oversight.html", context)

    @admin.display(description="who rests")
    def rests(self, rule: OversightRule) -> str:
        """Say when people rest."""
        return tell_rest_rule(rule)

    @admin.display(description="what a second person sees")
    def looks(self, rule: OversightRule) -> str:
        """Say what is drawn."""
        return tell_second_rule(rule)

    def page_context(self, request: HttpRequest, subject: OversightRule) -> dict[str, Any]:
        """Add the rule in words. The seed is shown once it counts no more: who knew it knew what nobody looks at."""
        digest = f"whose SHA-256 is {digest_seed(subject.seed)}; it is shown once the rule has ended"
        seed = subject.seed if subject.ended_at else digest
        facts = {
            "State": self.action_state(subject),
            "Team": subject.team,
            "Who rests": tell_rest_rule(subject),
            "What a second person looks at": tell_second_rule(subject),
            "Which ones": f"follows from the ids of the requests and a seed, {seed}",
            "Set by": subject.created_by,
            "Ended": subject.ended_at or "not yet",
        }
        return {"facts": facts, "stream": subject.team_id}

    def set_rule(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        person, team = acting_person(request), values.pop("team")
        row = do_or_propose(
            actor=person,
            act=lambda: set_oversight_rule(actor=person, team=team, oversight=Oversight(**values)),
        )
        if isinstance(row, ChangeProposal):
            return lead_to_proposal(request, row)
        return HttpResponseRedirect(self.page_url("change", row.pk) if row else self.page_url("changelist"))

    @offered_when("active", danger=True)
    @admin.action(permissions=["end"], description="End")
    def end(self, request: HttpRequest, queryset: QuerySet[OversightRule]) -> HttpResponse:
        """End rules: nobody has to rest any more, and nothing is drawn."""
        person = acting_person(request)
        question = "End this rule? Then nobody has to rest, and no second person looks at anything."
        asked = Confirmation(question, "ended", reason="none")
        act = or_propose(
            request, lambda rule, _: set_oversight_rule(actor=person, team=rule.team, oversight=None)
        )
        return perform(self, request, queryset, act, asked)


def _read_alone(person: User) -> QuerySet[PassedRequest]:
    """Return what was left to nobody, the first to expire first."""
    alone = PassedRequest.objects.visible_to(person).standing(timezone.now()).filter(to=[])
    named = alone.select_related("person", "request__identity", "request__tool")
    return named.order_by("request__expires_at")[:MOST_ALONE]


register_destination(Destination("Oversight", PAGE, order=66, section="Govern"))
