"""Reasons to deny: each team's own list, and the form that sets it as a whole."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from approvals.denials import SHIPPED, Preset, set_denial_reasons
from approvals.governing import PERMISSION
from approvals.models import DenialReasons
from identities.acting import acting_person
from identities.models import Team, User

HELP = "One reason in each line: a code, a colon, and the words that the agent is told. Empty: those that are shipped."


def write_lines(presets: Any) -> str:  # Any: presets
    """Return reasons as the form shows them."""
    return "\n".join(f"{preset.code}: {preset.words}" for preset in presets)


def read_lines(text: str) -> list[dict[str, str]] | None:
    """Return the reasons that were typed in; None for none."""
    lines = [line.partition(":") for line in text.splitlines() if line.strip()]
    return [{"code": code.strip(), "words": words.strip()} for code, _, words in lines] or None


class DenialReasonsForm(forms.Form):
    """A team and its reasons."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    reasons = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 8}), initial=write_lines(SHIPPED), help_text=HELP
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(Any, self.fields["team"]).queryset = Team.objects.visible_to(
            person
        )  # Any: generic in the stubs only


@admin.register(DenialReasons)
class DenialReasonsAdmin(GovernedAdmin):
    """The lists of the viewer's teams; a team that is not here has the reasons that are shipped."""

    add_label = "Set a team's reasons"
    list_display = ("team", "codes", "set_by", "set_at")
    list_select_related = ("team", "set_by")
    list_title = "Reasons to deny"
    ordering = ("team",)
    page_template = "identities/facts.html"

    @admin.display(description="reasons")
    def codes(self, row: DenialReasons) -> str:
        """Name the reasons by their codes."""
        return ", ".join(each["code"] for each in row.reasons)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who may set the rules of a team."""
        return holds_somewhere(request.user, PERMISSION)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("team", "set_by")

    def page_context(self, request: HttpRequest, subject: DenialReasons) -> dict[str, Any]:
        """Add the reasons in words."""
        facts = {"Team": subject.team, **{each["code"]: each["words"] for each in subject.reasons}}
        return {
            "facts": {**facts, "Set by": subject.set_by, "Set": subject.set_at},
            "stream": subject.team_id,
        }

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set a team's reasons as a whole."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        make_form = partial(DenialReasonsForm, person=acting_person(request), initial=_initial(request))
        context = {
            "title": "Reasons to deny",
            "button": "Set these reasons",
            "lead": "Whoever denies a call of the team's agents chooses one of these, or says why in their own words.",
            "back_url": self.page_url("changelist"),
        }
        return serve_form(self, request, make_form, partial(self._set, request), context)

    def _set(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        listed = read_lines(values["reasons"])
        set_denial_reasons(actor=acting_person(request), team=values["team"], reasons=listed)
        messages.success(request, f"Those are the reasons of {values['team']} now.")
        return HttpResponseRedirect(self.page_url("changelist"))


def _initial(request: HttpRequest) -> dict[str, Any]:
    """Return the list of the only team of whoever asks, if there is one; else those that are shipped."""
    row = DenialReasons.objects.visible_to(acting_person(request)).first()
    if row is None:
        return {}
    return {"team": row.team_id, "reasons": write_lines(Preset(**each) for each in row.reasons)}


register_destination(
    Destination("Reasons to deny", "admin:approvals_denialreasons_changelist", order=67, section="Govern")
)
