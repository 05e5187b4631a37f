"""The forms of a campaign: what it is about, and what becomes of one grant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from identities.models import AgentIdentity, Team, User
from runs.models import CampaignItem
from tools.admin.terms_form import TermsForm
from tools.models import Tool

VERDICTS = (
    (CampaignItem.Decision.KEPT, "Keep it as it is"),
    (CampaignItem.Decision.SHRUNK, "Shrink it to the terms below"),
    (CampaignItem.Decision.REVOKED, "Revoke it"),
)


class CampaignForm(forms.Form):
    """Whose grants are looked at, by whom, until when."""

    title = forms.CharField(max_length=120, label="What to call it")
    team = forms.ModelChoiceField(queryset=Team.objects.none())
    unused_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=366,
        label="Only grants unused for so many days",
        help_text="Empty: all grants of the team.",
    )
    due_at = forms.DateTimeField(
        widget=forms.DateInput(attrs={"type": "date"}),
        label="Until (UTC)",
        help_text="What nobody has decided by then is taken away.",
    )
    reviewers = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(), widget=forms.CheckboxSelectMultiple, label="Who decides"
    )

    def __init__(self, *args: Any, teams: QuerySet[Team], people: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in (("team", teams), ("reviewers", people)):
            cast(Any, self.fields[name]).queryset = rows  # Any: generic in the stubs only


class ItemForm(TermsForm):
    """Keep, shrink or revoke; the terms count where it is shrunk."""

    verdict = forms.ChoiceField(choices=VERDICTS, widget=forms.RadioSelect, label="What becomes of it")
    reason = forms.CharField(
        max_length=300, widget=forms.Textarea(attrs={"rows": 2}), label="Why, and what you looked at"
    )
    seen = forms.IntegerField(widget=forms.HiddenInput)

    field_order: Sequence[str] = ("verdict", "reason", "decision")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, agents=AgentIdentity.objects.none(), tools=Tool.objects.none(), **kwargs)
        for name in ("identity", "tool"):
            del self.fields[name]
        if "preview" in self.data:  # a look ahead decides nothing yet
            for name in ("verdict", "reason"):
                self.fields[name].required = False
