"""The form in which a person proposes terms; ``tools.services`` checks and writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast

from django import forms
from django.db.models import QuerySet

from identities.models import AgentIdentity
from tools.admin.words import has_readable_caps
from tools.models import DecisionTable, Tool, ToolGrant
from tools.services import Terms
from tools.services.terms import LONGEST_TTL_S

PERIODS = (("call", "a call"), ("run", "a run"), ("hour", "an hour"), ("day", "a day"), ("month", "a month"))
DECISIONS = (
    (ToolGrant.Decision.REQUIRE_APPROVAL, "Ask a person every time"),
    (ToolGrant.Decision.ALLOW_WITH_CAPS, "Allow up to caps"),
    (ToolGrant.Decision.ALLOW, "Allow freely"),
    (ToolGrant.Decision.DENY, "Deny"),
)
OVER_CAPS = (("DENY", "deny"), ("REQUIRE_APPROVAL", "ask a person"))


def _moment(**attributes: Any) -> forms.DateTimeField:
    return forms.DateTimeField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"), **attributes
    )


class CapsForm(forms.Form):
    """Of a tool, what happens and up to which caps. Empty caps are no caps."""

    periods: ClassVar[Sequence[tuple[str, str]]] = PERIODS

    tool = forms.ModelChoiceField(queryset=Tool.objects.none())
    decision = forms.ChoiceField(choices=DECISIONS, label="What happens when it wants to use it")
    over_caps = forms.ChoiceField(choices=OVER_CAPS, label="Beyond the caps")

    def __init__(self, *args: Any, tools: QuerySet[Tool], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(Any, self.fields["tool"]).queryset = tools  # Any: generic in the stubs only
        for per, words in self.periods:
            if per != "call":
                self.fields[f"{per}_count"] = forms.IntegerField(
                    required=False, min_value=1, label=f"Calls {words}"
                )
            self.fields[f"{per}_amount"] = forms.DecimalField(
                required=False, min_value=0, max_digits=16, decimal_places=4, label=f"Amount {words}"
            )
        for name, field in self.fields.items():
            if name.endswith(("_count", "_amount")):  # they stand in a table, without a label that is seen
                field.widget.attrs["aria-label"] = str(field.label)

    def cap_rows(self) -> list[tuple[str, forms.BoundField | None, forms.BoundField]]:
        """Return the caps as rows: the period in words, the field of counts, the field of amounts."""
        return [
            (words, self[f"{per}_count"] if per != "call" else None, self[f"{per}_amount"])
            for per, words in self.periods
        ]

    def other_fields(self) -> list[forms.BoundField]:
        """Return the visible fields that are no caps."""
        return [field for field in self.visible_fields() if not field.name.endswith(("_count", "_amount"))]

    def caps(self) -> Iterator[dict[str, Any]]:
        """Yield the caps that a valid form holds."""
        for per, _ in self.periods:
            count, amount = self.cleaned_data.get(f"{per}_count"), self.cleaned_data.get(f"{per}_amount")
            cap = {"per": per, "count": count, "amount": None if amount is None else str(amount)}
            if count is not None or amount is not None:
                yield {name: value for name, value in cap.items() if value is not None}


class TermsForm(CapsForm):
    """Who may use what, on which terms."""

    field_order: Sequence[str] = ("identity", "tool", "decision", "over_caps")

    identity = forms.ModelChoiceField(queryset=AgentIdentity.objects.none(), label="Agent")
    approval_ttl_s = forms.IntegerField(
        min_value=1,
        initial=600,
        label="Seconds a person has to answer",
        help_text="After that the call is not made.",
    )
    veto_s = forms.IntegerField(
        min_value=0,
        max_value=LONGEST_TTL_S,
        initial=0,
        required=False,
        label="Seconds it is held for a veto",
        help_text="For so long a call that changes something waits before it goes out, and people may veto it.",
    )
    confirmation = forms.BooleanField(
        required=False,
        label="The end user confirms each call",
        help_text="Through the application that started the run; where people approve, they are asked after that.",
    )
    valid_until = _moment(required=False, label="Valid until (UTC)")
    policy_table = forms.ModelChoiceField(
        queryset=DecisionTable.objects.none(),
        required=False,
        label="Asked about every call",
        help_text="A decision table; the stricter of it and these terms counts.",
    )

    def __init__(self, *args: Any, agents: QuerySet[AgentIdentity], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(Any, self.fields["identity"]).queryset = agents  # Any: generic in the stubs only
        tables = DecisionTable.objects.filter(team__in=agents.values("team"))
        cast(Any, self.fields["policy_table"]).queryset = tables  # Any: as above

    def terms(self) -> Terms:
        """Return the terms that a valid form holds."""
        values = self.cleaned_data
        return Terms(
            decision=values["decision"],
            caps=tuple(self.caps()),
            over_caps=values["over_caps"],
            approval_ttl_s=values["approval_ttl_s"],
            valid_until=values["valid_until"],
            policy_table=values["policy_table"].pk if values["policy_table"] else None,
            veto_s=values["veto_s"] or 0,
            confirmation=values["confirmation"],
        )


class WaiverForm(TermsForm):
    """Terms under which no person is asked: signed by two people, with caps and an end."""

    reason = forms.CharField(
        max_length=300, widget=forms.Textarea(attrs={"rows": 2}), label="Why no person is needed"
    )
    expires_at = _moment(label="The waiver ends (UTC)")


def initial_of(grant: ToolGrant) -> dict[str, Any]:
    """Return the values with which the form shows a grant."""
    rows = grant.caps if has_readable_caps(grant) else ()
    caps = {f"{cap['per']}_{name}": cap[name] for cap in rows for name in ("count", "amount") if name in cap}
    end: datetime | None = grant.valid_until
    return {
        "identity": grant.identity_id,
        "tool": grant.tool_id,
        "decision": grant.decision,
        "over_caps": grant.over_caps,
        "approval_ttl_s": grant.approval_ttl_s,
        "veto_s": grant.veto_s,
        "confirmation": grant.confirmation,
        "valid_until": end,
        "policy_table": grant.policy_table_id,
        **caps,
    }
