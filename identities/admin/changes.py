"""Proposals: who wants to change what from what to what, and the second person's word. And the rules behind them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from agentops.console.actions import Act, Confirmation, Instead, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.second_factor import is_fresh
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.changes import (
    activate,
    do_or_propose,
    find_verb,
    known_verbs,
    reject,
    roll_back,
    set_rule,
    withdraw,
)
from identities.changes.deciding import find_checkers, may_check, require_state
from identities.changes.differences import find_differences
from identities.models import ALWAYS_TWO, ChangeProposal, ChangeRule, Team
from identities.policies import may_govern


@admin.register(ChangeProposal)
class ChangeProposalAdmin(GovernedAdmin):
    """What was proposed in the viewer's teams, what waits first."""

    page_template = "identities/proposal.html"
    list_title = "Proposals: what takes a second person"
    list_display = ("title", state_column(), "maker", "checker", moment_column("created_at", "proposed"))
    list_filter = ("state", "verb")
    list_select_related = ("maker", "checker")
    search_fields = ("title",)
    ordering = ("-created_at",)
    actions = ("activate", "reject", "withdraw", "roll_back")

    def has_check_permission(self, request: HttpRequest, obj: ChangeProposal | None = None) -> bool:
        """Whether this person may be the second one."""
        return obj is None or may_check(acting_person(request), obj, second_factor=True).allowed

    def has_withdraw_permission(self, request: HttpRequest, obj: ChangeProposal | None = None) -> bool:
        """Whether this is the person's own proposal."""
        return obj is None or obj.maker_id == acting_person(request).pk

    def has_roll_back_permission(self, request: HttpRequest, obj: ChangeProposal | None = None) -> bool:
        """Whether this person may bring back what was before."""
        return obj is None or may_govern(acting_person(request), obj.permission, obj.team).allowed

    @offered_when("waiting")
    @admin.action(permissions=["check"], description="Activate")
    def activate(self, request: HttpRequest, queryset: QuerySet[ChangeProposal]) -> HttpResponse:
        """Put into force what somebody else proposed."""

        def act(proposal: ChangeProposal, _: str) -> None:
            done = activate(actor=acting_person(request), proposal=proposal, second_factor=is_fresh(request))
            require_state(done, ChangeProposal.State.ACTIVATED)

        asked = Confirmation("Put this change into force, in your name too?", "in force", "none")
        return perform(self, request, queryset, act, asked)

    @offered_when("waiting", danger=True)
    @admin.action(permissions=["check"], description="Reject")
    def reject(self, request: HttpRequest, queryset: QuerySet[ChangeProposal]) -> HttpResponse:
        """Refuse what somebody else proposed."""

        def act(proposal: ChangeProposal, reason: str) -> None:
            person = acting_person(request)
            done = reject(actor=person, proposal=proposal, reason=reason, second_factor=is_fresh(request))
            require_state(done, ChangeProposal.State.REJECTED)

        asked = Confirmation("Reject this change? Its maker reads why.", "rejected")
        return perform(self, request, queryset, act, asked)

    @offered_when("waiting")
    @admin.action(permissions=["withdraw"], description="Withdraw")
    def withdraw(self, request: HttpRequest, queryset: QuerySet[ChangeProposal]) -> HttpResponse:
        """Take one's own proposals back."""

        def act(proposal: ChangeProposal, _: str) -> None:
            done = withdraw(actor=acting_person(request), proposal=proposal)
            require_state(done, ChangeProposal.State.WITHDRAWN)

        asked = Confirmation("Take this proposal back?", "withdrawn", "none")
        return perform(self, request, queryset, act, asked)

    @offered_when("activated", danger=True)
    @admin.action(permissions=["roll_back"], description="Roll back")
    def roll_back(self, request: HttpRequest, queryset: QuerySet[ChangeProposal]) -> HttpResponse:
        """Bring back what was before, or propose to."""

        def act(proposal: ChangeProposal, reason: str) -> object:
            return _told(roll_back(actor=acting_person(request), proposal=proposal, reason=reason))

        asked = Confirmation("Bring back what was before this change?", "taken back")
        return perform(self, request, queryset, act, asked)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("maker", "checker", "team")

    def page_context(self, request: HttpRequest, subject: ChangeProposal) -> dict[str, Any]:
        """Add the difference line by line, and why this person cannot be the second one."""
        is_open = subject.is_open(timezone.now())
        refusal = may_check(acting_person(request), subject, second_factor=is_fresh(request))
        return {
            "verb": find_verb(subject.verb).label,
            "lines": find_differences(subject),
            "refusal": refusal,
            "checkers": find_checkers(subject.permission, subject.team, subject.maker) if is_open else [],
        }

    def action_state(self, subject: ChangeProposal) -> str:
        """Offer nothing once the time is over, and no way back where none is recorded."""
        if subject.state == ChangeProposal.State.WAITING and not subject.is_open(timezone.now()):
            return "expired"
        return "kept" if subject.state == "activated" and subject.undo is None else subject.state


class RuleForm(forms.Form):
    """Which kind of change takes how many people, and where."""

    verb = forms.ChoiceField(label="Change")
    team = forms.ModelChoiceField(
        Team.objects.none(), required=False, help_text="Empty: in every team without a rule of its own."
    )
    needs = forms.ChoiceField(choices=ChangeRule.Needs, label="It takes")
    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 2}))


@admin.register(ChangeRule)
class ChangeRuleAdmin(GovernedAdmin):
    """Which changes take other than the default: two people for what loosens, one for what tightens."""

    list_title = "Rules of two people"
    add_label = "Set a rule"
    list_display = ("verb", "team", "needs", moment_column("changed_at", "set"))
    list_select_related = ("team",)
    fields = readonly_fields = ("verb", "team", "needs", "changed_at")
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to everybody; the service decides, for the team that is chosen."""
        return self.admin_site.has_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set a rule, or propose one that loosens."""
        context = {"title": "Set a rule", "button": "Set it", "back_url": self.page_url("changelist")}

        def make_form(*data: Any) -> forms.Form:
            form = RuleForm(*data)
            fields: Any = form.fields  # Any: generic in the stubs only
            verbs = [verb for verb in known_verbs() if verb.name not in ALWAYS_TWO]
            fields["verb"].choices = [(verb.name, verb.label) for verb in verbs]
            fields["team"].queryset = Team.objects.visible_to(acting_person(request))
            return form

        return serve_form(self, request, make_form, lambda values: self._set(request, **values), context)

    def _set(
        self, request: HttpRequest, verb: str, team: Team | None, needs: str, reason: str
    ) -> HttpResponse:
        person = acting_person(request)
        done = do_or_propose(
            actor=person, act=lambda: set_rule(actor=person, verb=verb, team=team, needs=needs), reason=reason
        )
        if isinstance(done, ChangeProposal):
            return lead_to_proposal(request, done)
        messages.success(request, "The rule counts now.")
        return HttpResponseRedirect(self.page_url("changelist"))


def or_propose(request: HttpRequest, act: Act) -> Act:
    """Make of an act one that proposes where it takes a second person."""

    def governed(subject: Model, reason: str) -> object:
        done = do_or_propose(actor=acting_person(request), act=lambda: act(subject, reason), reason=reason)
        return _told(done)

    return governed


def _told(done: object) -> object:
    return (
        Instead("this waits for a second person now, under Proposals")
        if isinstance(done, ChangeProposal)
        else done
    )


def lead_to_proposal(request: HttpRequest, proposal: ChangeProposal) -> HttpResponse:
    """Tell somebody that their change waits, and show them how."""
    messages.warning(request, "Proposed. It counts once a second person activates it.")
    return HttpResponseRedirect(reverse("admin:identities_changeproposal_change", args=[proposal.pk]))


def find_waiting(request: HttpRequest) -> QuerySet[ChangeProposal]:
    """Return what others proposed and this person may see."""
    person = acting_person(request)
    return ChangeProposal.objects.visible_to(person).waiting(timezone.now()).exclude(maker=person)


register_destination(
    Destination(
        "Proposals",
        "admin:identities_changeproposal_changelist",
        order=38,
        section="Govern",
        waiting=find_waiting,
    )
)
register_destination(
    Destination("Two people", "admin:identities_changerule_changelist", order=76, section="Govern")
)
register_streams("change", ChangeProposal.objects.visible_to)
register_streams("rule", ChangeRule.objects.visible_to)
