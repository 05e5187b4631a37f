"""Approval rules: whose yes a call takes, listed in the order in which they are asked, and the form that sets one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.navigation import Destination, register_destination
from approvals.admin.standing import StandingRuleAdmin
from approvals.governing import MOST_RULES, Ruling, set_approval_rule
from approvals.models import ApprovalRule
from approvals.models.requests import Factor
from approvals.rules import tell_conditions, tell_stages
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal, or_propose
from identities.changes import do_or_propose
from identities.models import AgentIdentity, ChangeProposal, Team, User
from tools.models import Effect, Tool

STAGES_SHOWN = 3  # more are set through the API
STAGE_FIELDS = ("needed", "group", "after_s", "further")
EFFECTS = [("", "any"), *((value, label) for value, label in Effect.choices if value != Effect.READ)]


class RuleForm(forms.Form):
    """A rule with up to three stages, in each of which one further group may be asked later."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    place = forms.IntegerField(
        min_value=1,
        max_value=MOST_RULES,
        help_text="The first rule that fits a call counts; the one that stands here ends.",
    )
    name = forms.CharField(max_length=80)
    tool = forms.ModelChoiceField(queryset=Tool.objects.none(), required=False, empty_label="any")
    effect = forms.ChoiceField(choices=EFFECTS, required=False)
    identity = forms.ModelChoiceField(
        queryset=AgentIdentity.objects.none(), required=False, label="Agent", empty_label="any"
    )
    min_amount = forms.DecimalField(
        required=False, min_value=0, max_digits=20, decimal_places=4, label="From this amount on"
    )
    currency = forms.CharField(required=False, max_length=8, label="In this currency")
    doubtful = forms.BooleanField(
        required=False, label="Only calls with a value that nobody whom you trust has vouched for"
    )
    reason_required = forms.BooleanField(required=False, label="Also who approves has to say why")
    factor = forms.ChoiceField(choices=Factor, label="People prove that they are there with")

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = {
            "team": Team.objects.visible_to(person),
            "tool": Tool.objects.visible_to(person).exclude(state="retired"),
            "identity": AgentIdentity.objects.visible_to(person).exclude(state="revoked"),
        }
        for name, rows in choices.items():
            cast(Any, self.fields[name]).queryset = rows  # Any: generic in the stubs only
        for number in range(1, STAGES_SHOWN + 1):
            self._add_stage(number)

    def _add_stage(self, number: int) -> None:
        groups = [("", "all who may approve the tool's calls"), *((name, name) for name in _group_names())]
        of, later = f"Stage {number}: ", "nobody"
        self.fields[f"needed_{number}"] = forms.IntegerField(
            min_value=1,
            required=number == 1,
            label=f"{of}how many people",
            initial=1 if number == 1 else None,
        )
        self.fields[f"group_{number}"] = forms.ChoiceField(
            choices=groups, required=False, label=f"{of}of whom"
        )
        self.fields[f"after_s_{number}"] = forms.IntegerField(
            min_value=1, required=False, label=f"{of}seconds after which others are asked too"
        )
        self.fields[f"further_{number}"] = forms.ChoiceField(
            choices=[("", later), *groups[1:]], required=False, label=f"{of}the others"
        )

    def clean(self) -> dict[str, Any]:
        """Take no stage of which half was said: what is left out would ask for fewer people."""
        values: dict[str, Any] = super().clean() or {}
        empty = False
        for number in range(1, STAGES_SHOWN + 1):
            needed, group, after_s, further = self._said_of(number)
            if (needed is None and (group or after_s or further)) or (empty and needed is not None):
                self.add_error(f"needed_{number}", "Say how many people, and leave no stage out before it.")
            if bool(after_s) != bool(further):
                self.add_error(f"after_s_{number}", "Say after how many seconds, and whom, or neither.")
            empty = empty or needed is None
        return values

    def _said_of(self, number: int) -> tuple[Any, ...]:  # Any: a number or a text each
        return tuple(self.cleaned_data.get(f"{name}_{number}") for name in STAGE_FIELDS)

    def ruling(self) -> Ruling:
        """Return the rule that a valid form holds."""
        values = self.cleaned_data
        return Ruling(
            values["name"],
            tuple(self._stages()),
            tool=values["tool"].pk if values["tool"] else None,
            effect=values["effect"],
            identity=values["identity"].pk if values["identity"] else None,
            min_amount=values["min_amount"],
            currency=values["currency"],
            doubtful=values["doubtful"],
            reason_required=values["reason_required"],
            factor=values["factor"],
        )

    def _stages(self) -> Iterator[dict[str, Any]]:
        for number in range(1, STAGES_SHOWN + 1):
            needed, group, after_s, further = self._said_of(number)
            if needed is not None:
                steps = [{"after_s": after_s, "group": further}] if after_s else []
                yield {"needed": needed, "group": group or None, "escalate": steps}


def _group_names() -> list[str]:
    return list(Group.objects.order_by("name").values_list("name", flat=True))


def fits_the_form(rule: ApprovalRule) -> bool:
    """Return whether the form has a field for all of a rule: saved without the rest it would ask for fewer people."""
    return len(rule.stages) <= STAGES_SHOWN and all(len(stage["escalate"]) <= 1 for stage in rule.stages)


def initial_of(rule: ApprovalRule) -> dict[str, Any]:
    """Return the values with which the form shows a rule that fits it."""
    names = (
        "team_id",
        "place",
        "name",
        "tool_id",
        "effect",
        "identity_id",
        "min_amount",
        "currency",
        "doubtful",
    )
    values = {name.removesuffix("_id"): getattr(rule, name) for name in (*names, "reason_required", "factor")}
    for number, stage in enumerate(rule.stages, start=1):
        values |= {f"needed_{number}": stage["needed"], f"group_{number}": stage["group"] or ""}
        for step in stage["escalate"]:
            values |= {f"after_s_{number}": step["after_s"], f"further_{number}": step["group"]}
    return values


@admin.register(ApprovalRule)
class ApprovalRuleAdmin(StandingRuleAdmin):
    """The rules of the viewer's teams, those in force first."""

    list_display = ("rule", "team", "when", "whose", "state_badge", moment_column("created_at", "set"))
    list_select_related = ("team", "tool", "identity")
    list_title = "Whose yes calls take"
    empty_words = (
        "No rule: each call that people are asked about takes one yes of whoever may approve its tool."
    )
    ordering = ("-ended_at", "team", "place")  # nulls, which are those in force, come first
    actions = ("change", "end")

    @admin.display(description="rule")
    def rule(self, rule: ApprovalRule) -> str:
        """Name the rule with its place."""
        return str(rule)

    @admin.display(description="which calls")
    def when(self, rule: ApprovalRule) -> str:
        """Say which calls it fits."""
        return tell_conditions(rule)

    @admin.display(description="whose yes")
    def whose(self, rule: ApprovalRule) -> str:
        """Say how many people of whom."""
        return tell_stages(rule.stages)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("tool", "identity")

    def page_context(self, request: HttpRequest, subject: ApprovalRule) -> dict[str, Any]:
        """Add the rule in words."""
        facts = {
            "State": self.action_state(subject),
            "Team": subject.team,
            "Place": subject.place,
            "Which calls": tell_conditions(subject),
            "Whose yes": tell_stages(subject.stages),
            "A reason": "also to approve" if subject.reason_required else "to deny",
            "Proof that somebody is there": subject.get_factor_display(),
            "Set by": subject.created_by,
            "Ended": subject.ended_at or "not yet",
        }
        return {"facts": facts, "stream": subject.team_id}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set a rule; it takes the place of the one that stands there."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        person, made = acting_person(request), list[RuleForm]()
        initial = _read_initial(request, person)

        def make_form(*data: Any) -> forms.Form:
            made.append(RuleForm(*data, initial=initial, person=person))
            return made[-1]

        context = {
            "title": "Whose yes calls take",
            "button": "Set this rule",
            "lead": "Whoever it is, they must have the tool's calls to approve, and no part in the run.",
            "back_url": self.page_url("changelist"),
        }
        return serve_form(self, request, make_form, partial(self._set, request, made), context)

    def _set(self, request: HttpRequest, made: list[RuleForm], values: dict[str, Any]) -> HttpResponse:
        person, ruling = acting_person(request), made[-1].ruling()
        row = do_or_propose(
            actor=person,
            act=lambda: set_approval_rule(
                actor=person, team=values["team"], place=values["place"], ruling=ruling
            ),
        )
        if isinstance(row, ChangeProposal):
            return lead_to_proposal(request, row)
        return HttpResponseRedirect(self.page_url("change", row.pk) if row else self.page_url("changelist"))

    @offered_when("active")
    @admin.action(permissions=["end"], description="Change")
    def change(self, request: HttpRequest, queryset: QuerySet[ApprovalRule]) -> HttpResponse:
        """Show the form with the rule that was chosen."""
        chosen = queryset.first()
        if chosen and not fits_the_form(chosen):
            messages.error(
                request, "It asks for more than the form has fields for: change it through the API."
            )
            return HttpResponseRedirect(self.page_url("change", chosen.pk))
        return HttpResponseRedirect(f"{self.page_url('add')}?from={chosen.pk if chosen else ''}")

    @offered_when("active", danger=True)
    @admin.action(permissions=["end"], description="End")
    def end(self, request: HttpRequest, queryset: QuerySet[ApprovalRule]) -> HttpResponse:
        """End rules: the next one that fits counts, or one yes."""
        person = acting_person(request)
        asked = Confirmation(
            "End this rule? The next one that fits a call counts, or else one yes.", "ended", reason="none"
        )
        act = or_propose(
            request,
            lambda rule, _: set_approval_rule(actor=person, team=rule.team, place=rule.place, ruling=None),
        )
        return perform(self, request, queryset, act, asked)


def _read_initial(request: HttpRequest, person: User) -> dict[str, Any]:
    """Return the values of the rule that the address names; empty for none that this person may see."""
    try:
        chosen = UUID(request.GET.get("from", ""))
    except ValueError:
        return {}
    rule = ApprovalRule.objects.visible_to(person).filter(pk=chosen).first()
    return initial_of(rule) if rule and fits_the_form(rule) else {}


register_destination(
    Destination("Approval rules", "admin:approvals_approvalrule_changelist", order=66, section="Govern")
)
