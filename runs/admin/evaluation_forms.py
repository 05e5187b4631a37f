"""The forms about evaluation sets."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from agentops.errors import ValidationFailed
from runs.evaluation.evaluating import MOST_REPEATS
from runs.models import AgentVersion, EvaluationSet


class EvaluateForm(forms.Form):
    """Which version, how often, and for how much money."""

    version = forms.ModelChoiceField(queryset=AgentVersion.objects.none())
    repeat = forms.IntegerField(
        min_value=1, max_value=MOST_REPEATS, initial=1, label="How often each case is run",
        help_text="Once says whether it can pass. A difference between two versions takes several times to be told.",
    )  # fmt: skip
    max_usd = forms.DecimalField(
        min_value=Decimal("0.0001"),
        max_digits=12,
        decimal_places=4,
        label="What all runs together may cost, USD",
    )

    @classmethod
    def of(cls, versions: QuerySet[AgentVersion], *data: Any) -> EvaluateForm:
        """Return the form with the versions that there are."""
        form = cls(*data)
        cast(Any, form.fields["version"]).queryset = versions  # Any: generic in the stubs
        return form


class SettingsForm(forms.Form):
    """What a set is for, and whether it gates."""

    description = forms.CharField(max_length=500, required=False)
    gating = forms.BooleanField(required=False, label="No version is published that has not passed it")
    pass_rate = forms.DecimalField(
        min_value=Decimal("0.0001"), max_value=Decimal(1), max_digits=5, decimal_places=4,
        label="Which share of its runs has to pass", help_text="1 is all of them.",
    )  # fmt: skip


class CaseForm(forms.Form):
    """Into which set a case goes, and when it passes."""

    evaluation_set = forms.ModelChoiceField(
        queryset=EvaluationSet.objects.none(), required=False, label="Set", empty_label="A new one"
    )
    new_set = forms.CharField(max_length=64, required=False, label="Name of the new set")
    name = forms.CharField(max_length=64, label="Name of the case")
    checks = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 12}), label="Checks, as JSON",
        help_text="As types of tasks have them: called, ended, answer.",
    )  # fmt: skip

    @classmethod
    def of(cls, sets: QuerySet[EvaluationSet], proposed: dict[str, Any], *data: Any) -> CaseForm:
        """Return the form with the sets of the agent, and the checks that are proposed."""
        checks = json.dumps(proposed["checks"], indent=2, ensure_ascii=False)
        form = cls(data[0] if data else None, initial={"checks": checks})
        cast(Any, form.fields["evaluation_set"]).queryset = sets  # Any: as above
        return form

    def clean(self) -> dict[str, Any]:
        """Want one of the two: a set that there is, or the name of a new one."""
        values = super().clean() or {}
        given = [name for name in ("evaluation_set", "new_set") if values.get(name)]
        if len(given) != 1:
            self.add_error("new_set", "Choose a set, or name a new one.")
        return values


def read_checks(text: str) -> list[Any]:  # Any: JSON
    """Return the checks that somebody typed; raises ValidationFailed."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationFailed("bad_case", "the checks are no JSON") from None
    if not isinstance(found, list):
        raise ValidationFailed("bad_case", "the checks are a list")
    return found
