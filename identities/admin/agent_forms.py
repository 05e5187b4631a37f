"""The forms of an agent's page: who answers for it, and that somebody has looked at it again."""

from __future__ import annotations

from typing import Any, cast

from django import forms

from identities.models import AgentIdentity, User


class RecertifyForm(forms.Form):
    """What was looked at, and when to look again."""

    looked_at = forms.CharField(
        max_length=500, widget=forms.Textarea(attrs={"rows": 2}), label="What you looked at"
    )
    recertify_by = forms.DateTimeField(
        widget=forms.DateInput(attrs={"type": "date"}), label="Look again by (UTC)"
    )


class AgentForm(forms.Form):
    """What is said about an agent. Those who answer for it are active people of its team."""

    name = forms.CharField(max_length=120)
    purpose = forms.CharField(
        max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}), label="What it is for"
    )
    owner = forms.ModelChoiceField(
        User.objects.none(), help_text="Answers for it, and never approves its calls."
    )
    sponsor = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        help_text="Another person, who answers for it when the owner has left. Empty: as it is.",
    )
    expires_at = forms.DateTimeField(
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        label="Ends (UTC)",
        help_text="Empty: no end of its own.",
    )
    exposed = forms.BooleanField(
        required=False,
        label="Agents of others may find it",
        help_text="Its card (name, purpose, types of tasks) is public, and applications that may start it reach it over"
        " A2A.",
    )

    def __init__(self, *args: Any, agent: AgentIdentity, **kwargs: Any) -> None:
        said = {name: getattr(agent, name) for name in ("name", "purpose", "owner", "sponsor", "exposed")}
        kwargs["initial"] = {**said, "expires_at": agent.ends_at}
        super().__init__(*args, **kwargs)
        members = User.objects.filter(kind="person", is_active=True, teams=agent.team).order_by("username")
        for name in ("owner", "sponsor"):
            cast(Any, self.fields[name]).queryset = members  # Any: generic in the stubs only
