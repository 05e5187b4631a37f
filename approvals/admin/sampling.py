"""Sampling rules: how many harmless requests are opened before the rest is approved together."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.navigation import Destination, register_destination
from approvals.admin.standing import StandingRuleAdmin
from approvals.models import SamplingRule
from approvals.sampling_rules import EFFECTS, MOST_OPENED, Sampling, set_sampling_rule, tell_sampling
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal, or_propose
from identities.changes import do_or_propose
from identities.models import ChangeProposal, Team, User


class SamplingForm(forms.Form):
    """A rule; it takes the place of the team's for that effect class."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    effect = forms.ChoiceField(choices=[(effect.value, effect.label) for effect in EFFECTS])
    max_amount = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=20,
        decimal_places=4,
        label="Each moves less than",
        help_text="Left empty: only requests that move no money.",
    )
    currency = forms.CharField(required=False, max_length=8, label="In this currency")
    at_least = forms.IntegerField(
        min_value=1, max_value=MOST_OPENED, label="At least so many of a group are opened one by one"
    )
    percent = forms.IntegerField(
        min_value=0,
        max_value=100,
        initial=0,
        label="Or this share of the group, in per cent, if that is more",
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(Any, self.fields["team"]).queryset = Team.objects.visible_to(
            person
        )  # Any: generic in the stubs only


@admin.register(SamplingRule)
class SamplingRuleAdmin(StandingRuleAdmin):
    """The rules of the viewer's teams, those in force first."""

    list_display = ("team", "effect", "what", "state_badge", moment_column("created_at", "set"))
    list_select_related = ("team",)
    list_title = "How many calls are opened before a batch"
    empty_words = "No rule: each request has to be opened by itself before it is approved with others."
    ordering = ("-ended_at", "team", "effect")  # nulls, which are those in force, come first
    actions = ("end",)
    rule_form = SamplingForm
    lead = (
        "Without a rule each request has to be opened by itself. Nothing is ever approved by itself: a"
        " rule only says how much of a group has to be looked at one by one."
    )

    @admin.display(description="what is opened")
    def what(self, rule: SamplingRule) -> str:
        """Say which requests it calls harmless, and how many of them are opened."""
        return tell_sampling(rule)

    def page_context(self, request: HttpRequest, subject: SamplingRule) -> dict[str, Any]:
        """Add the rule in words."""
        facts = {
            "State": self.action_state(subject),
            "Team": subject.team,
            "What is opened": tell_sampling(subject),
            "Which ones": f"follows from the ids of the requests and the seed {subject.seed}",
            "Set by": subject.created_by,
            "Ended": subject.ended_at or "not yet",
        }
        return {"facts": facts, "stream": subject.team_id}

    def set_rule(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        person = acting_person(request)
        team, effect = values.pop("team"), values.pop("effect")
        row = do_or_propose(
            actor=person,
            act=lambda: set_sampling_rule(
                actor=person, team=team, effect=effect, sampling=Sampling(**values)
            ),
        )
        if isinstance(row, ChangeProposal):
            return lead_to_proposal(request, row)
        return HttpResponseRedirect(self.page_url("change", row.pk) if row else self.page_url("changelist"))

    @offered_when("active", danger=True)
    @admin.action(permissions=["end"], description="End")
    def end(self, request: HttpRequest, queryset: QuerySet[SamplingRule]) -> HttpResponse:
        """End rules: each request has to be opened again."""
        person = acting_person(request)
        asked = Confirmation(
            "End this rule? Each request then has to be opened by itself.", "ended", reason="none"
        )
        act = or_propose(
            request,
            lambda rule, _: set_sampling_rule(
                actor=person, team=rule.team, effect=rule.effect, sampling=None
            ),
        )
        return perform(self, request, queryset, act, asked)


register_destination(
    Destination("Sampling rules", "admin:approvals_samplingrule_changelist", order=67, section="Govern")
)
