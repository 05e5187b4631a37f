"""The run form: a task for an agent, in the starter's own name, said in full before anything starts."""

from __future__ import annotations

from typing import Any

from django import forms

from identities.models import AgentIdentity
from runs.changesets.forms import Ceilings, RunForm
from runs.models import Priority, RunMode

LINES = "One in each line."


def _lines(label: str, help_text: str = LINES) -> forms.CharField:
    widget = forms.Textarea(attrs={"rows": 3})
    return forms.CharField(widget=widget, label=label, required=False, help_text=help_text)


def _ceiling(label: str) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=1)


class StartForm(forms.Form):
    """What is wanted and by what it is measured, what the agent must keep to, and what it may spend."""

    agent = forms.ModelChoiceField(queryset=AgentIdentity.objects.none())
    message = forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), label="What is to be done")
    mode = forms.ChoiceField(
        choices=[
            (RunMode.ACT, "Do it as it goes: colleagues are asked about single calls"),
            (RunMode.PROPOSE, "Propose it: nothing is changed until colleagues have reviewed all of it"),
        ],
        initial=RunMode.ACT,
        label="How",
        required=False,
    )
    task = forms.CharField(
        label="Type of task",
        required=False,
        max_length=64,
        help_text="One that the agent’s version declares: by its checks the run is judged. Empty: it is not judged.",
    )
    criteria = _lines("It is done well when", f"{LINES} Reviewers see it beside what the agent proposes.")
    constraints = _lines("The agent keeps to")
    forbidden = _lines(
        "It must not use",
        f"{LINES} Tools by name, or “reversible” or “irreversible” for all of that kind; policy holds it to that.",
    )
    max_steps = _ceiling("Steps at most")
    max_tokens = _ceiling("Tokens at most")
    max_usd = forms.DecimalField(label="USD at most", required=False, min_value=0, decimal_places=4)
    max_seconds = _ceiling("Seconds of work at most")
    priority = forms.ChoiceField(
        choices=[(each.label, each.label.capitalize()) for each in reversed(Priority)],
        initial=Priority.NORMAL.label,
        required=False,
        help_text="Which begins first where people have more to review than they can, or workers more to do.",
    )

    def clean_mode(self) -> str:
        """Take what is left out as acting: addresses that fill in the form need not name it."""
        return str(self.cleaned_data["mode"] or RunMode.ACT)

    def clean_priority(self) -> Priority:
        """Take what is left out as normal, likewise."""
        return Priority[(self.cleaned_data["priority"] or Priority.NORMAL.label).upper()]


def read_form(values: dict[str, Any]) -> RunForm | None:  # Any: cleaned values
    """Return what was filled in beside the task; None where that is nothing."""
    lists = {
        name: [line.strip() for line in values[name].splitlines() if line.strip()]
        for name in ("criteria", "constraints", "forbidden")
    }
    ceilings = Ceilings(**{name: values[f"max_{name}"] for name in ("steps", "tokens", "usd", "seconds")})
    return RunForm(**lists, ceilings=ceilings) if any(lists.values()) or ceilings != Ceilings() else None
