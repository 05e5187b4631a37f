"""The steps of setting an agent up: each is a form, and adds its part to a provisioning document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from agentops.errors import ValidationFailed
from identities.models import AgentIdentity, Team, User
from runs.behaviour import behaviour_of
from runs.models import EXTERNAL, AgentVersion, Price
from tools.admin.words import latest_versions
from tools.models import Tool, ToolGrant, ToolVersion
from tools.services.terms import Terms, check_terms, skips_people

Document = dict[str, Any]  # Any: as runs/provisioning/schema.json has it
Values = Mapping[str, Any]

READER, ASKER = "reader", "asker"
TEMPLATES = (
    (READER, "Reads only: every tool that reads, and no other"),
    (ASKER, "Acts with approval: reads freely, and asks a person for everything else"),
)
MOST_EXTENSIONS = 10  # as the document's schema and the database have it
_COLUMNS = ("decision", "count:day", "amount:call", "amount:day", "confirmation")
DECISIONS = (
    ("", "not given"),
    ("REQUIRE_APPROVAL", "ask a person every time"),
    ("ALLOW_WITH_CAPS", "allow up to the caps"),
    ("ALLOW", "allow freely"),
)


class Step(forms.Form):
    """One step; ``person`` is who sets up, ``earlier`` the cleaned values of the steps before."""

    def __init__(self, *args: Any, person: User, earlier: Mapping[str, Values], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person, self.earlier = person, earlier
        self.prepare()

    def prepare(self) -> None:
        """Offer what this person may choose."""

    def offer(self, field: str, rows: QuerySet[Any]) -> None:
        """Let a field choose among rows."""
        cast(Any, self.fields[field]).queryset = rows  # Any: generic in the stubs only

    def contribute(self, document: Document) -> None:
        """Add what was filled in to the document."""


class PurposeStep(Step):
    """What it is for, and who answers for it."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField(
        max_length=50, label="Short name", help_text="Such as refunds-agent; it never changes."
    )
    team = forms.ModelChoiceField(queryset=Team.objects.none())
    purpose = forms.CharField(
        max_length=2_000, widget=forms.Textarea(attrs={"rows": 3}), label="What it is for"
    )
    owner = forms.ModelChoiceField(
        queryset=User.objects.none(), help_text="Answers for it, and never approves its calls."
    )
    sponsor = forms.ModelChoiceField(
        queryset=User.objects.none(), help_text="Another person, who answers for it when the owner has left."
    )
    recertify_by = forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}),
        label="Look again by (UTC)",
        help_text="Unless somebody looks at it again by then, it is suspended.",
    )

    def prepare(self) -> None:
        """Offer the person's teams and the people on them."""
        teams = Team.objects.visible_to(self.person)
        people = (
            User.objects.filter(kind="person", is_active=True, teams__in=teams)
            .distinct()
            .order_by("username")
        )
        self.offer("team", teams)
        self.offer("owner", people)
        self.offer("sponsor", people)

    def clean_slug(self) -> str:
        """Refuse a name that is taken."""
        slug: str = self.cleaned_data["slug"]
        if AgentIdentity.objects.filter(slug=slug).exists():
            raise forms.ValidationError("There is an agent of this name already.")
        return slug

    def clean(self) -> dict[str, Any]:
        """Refuse one person in both places."""
        values = self.cleaned_data
        if values.get("owner") and values.get("owner") == values.get("sponsor"):
            self.add_error("sponsor", "Choose another person than the owner.")
        return values

    def contribute(self, document: Document) -> None:
        """Begin the agent, as a draft."""
        values = self.cleaned_data
        document["agents"][values["slug"]] = {
            "team": values["team"].slug,
            "name": values["name"],
            "purpose": values["purpose"],
            "owner": values["owner"].username,
            "sponsor": values["sponsor"].username,
            "recertify_by": f"{values['recertify_by']:%Y-%m-%d}T00:00:00Z",
            "state": "draft",
            "grants": {},
        }


class TemplateStep(Step):
    """What it starts from, and what the model is told."""

    template = forms.ChoiceField(label="Start from")
    instructions = forms.CharField(
        max_length=20_000, required=False, widget=forms.Textarea(attrs={"rows": 6}),
        label="Instructions for the model", help_text="Empty: those of the agent that is copied.",
    )  # fmt: skip
    model = forms.ChoiceField(help_text="Carries out what was planned.")
    plan_model = forms.ChoiceField(
        label="Model for plans", required=False,
        help_text="Empty: the same. It also mends what goes wrong again and again.",
    )  # fmt: skip
    spare_model = forms.ChoiceField(
        label="Model to fall back to", required=False, help_text="Asked where the others are down; empty: none is.",
    )  # fmt: skip
    principal_source = forms.ChoiceField(
        choices=AgentVersion.PrincipalSource.choices, label="For whom it acts"
    )

    def prepare(self) -> None:
        """Offer the short list, the agents of the team to copy from, and the models that have a price."""
        team = self.earlier["purpose"]["team"]
        versions = AgentVersion.objects.filter(identity__team=team, state="published").select_related(
            "identity"
        )
        copies = [(str(each.pk), f"Copy from {each.identity}") for each in versions]
        models = Price.objects.filter(active=True).order_by("model").values_list("model", flat=True)
        cast(forms.ChoiceField, self.fields["template"]).choices = [*TEMPLATES, *copies]
        offered = [(model, model) for model in models]
        cast(forms.ChoiceField, self.fields["model"]).choices = offered
        for name in ("plan_model", "spare_model"):
            cast(forms.ChoiceField, self.fields[name]).choices = [("", "none"), *offered]

    def clean(self) -> dict[str, Any]:
        """Take the instructions of the agent that is copied, where none are given."""
        values = self.cleaned_data
        copied = copied_version(values.get("template", ""))
        if not values.get("instructions"):
            if copied is None:
                self.add_error("instructions", "Say what the model is to do.")
            else:
                values["instructions"] = copied.instructions
        return values

    def contribute(self, document: Document) -> None:
        """Begin the version, as a draft."""
        (slug,) = document["agents"]
        named = ("instructions", "model", "principal_source")
        version = {name: self.cleaned_data[name] for name in named}
        copied = copied_version(self.cleaned_data["template"])
        if roles := self._model_roles():
            version["model_roles"] = roles
        if copied is not None:
            version["planner"] = behaviour_of(copied).planner
        if version["principal_source"] == AgentVersion.PrincipalSource.TOKEN:
            version["planner"] = EXTERNAL
        if version.get("planner") != EXTERNAL:  # what a run reads is to choose no tools of a new agent
            version["plan"] = (copied and behaviour_of(copied).plan) or AgentVersion.Plan.WORDS.value
        document["versions"][slug] = {**version, "catalogue": [], "state": "draft"}

    def _model_roles(self) -> dict[str, list[str]]:
        """Return the models of the version's roles, as far as it does not put all calls to one."""
        model, spare = self.cleaned_data["model"], self.cleaned_data["spare_model"]
        plan = self.cleaned_data["plan_model"] or model
        roles = {"plan": [plan, spare], "execute": [model, spare]}
        named = {role: list(dict.fromkeys(filter(None, models))) for role, models in roles.items()}
        return {role: models for role, models in named.items() if models != [model]}


class ToolsStep(Step):
    """Which tools it gets, on which terms: the template proposes, a person decides."""

    def prepare(self) -> None:
        """Add a row of fields for each tool of the team that is in service."""
        tools = list(Tool.objects.filter(team=self.earlier["purpose"]["team"], state="active"))
        latest = latest_versions(tools)
        self.offered = [(tool, latest[tool.pk]) for tool in tools if tool.pk in latest]
        proposed = _proposed_terms(self.earlier["template"]["template"], self.offered)
        for tool, version in self.offered:
            decision, caps = proposed.get(tool.name, ("", {}))
            self.fields[f"{tool.name}:decision"] = forms.ChoiceField(
                choices=DECISIONS, required=False, initial=decision, label=f"{tool.name}: what happens"
            )
            self.fields[f"{tool.name}:count:day"] = forms.IntegerField(
                required=False, min_value=1, initial=caps.get("count:day"), label=f"{tool.name}: calls a day"
            )
            if version.amount_argument:
                for per in ("call", "day"):
                    name = f"{tool.name}:amount:{per}"
                    self.fields[name] = forms.DecimalField(
                        required=False, min_value=0, max_digits=16, decimal_places=4,
                        initial=caps.get(f"amount:{per}"), label=f"{tool.name}: {version.currency} a {per}",
                    )  # fmt: skip
            if version.effect != "read":
                self.fields[f"{tool.name}:confirmation"] = forms.BooleanField(
                    required=False,
                    initial=caps.get("confirmation", False),
                    label=f"{tool.name}: the end user confirms each call",
                )

        for field in self.fields.values():  # a cell of a table has no label beside it
            field.widget.attrs["aria-label"] = str(field.label)

    def rows(self) -> list[dict[str, Any]]:
        """Return the tools as the template shows them."""
        return [
            {
                "tool": tool,
                "version": version,
                "cells": [self[name] if name in self.fields else None for name in _fields_of(tool)],
            }
            for tool, version in self.offered
        ]

    def clean(self) -> dict[str, Any]:
        """Check the terms of each tool as the service will."""
        chosen = 0
        for tool, version in self.offered:
            terms = self._terms(tool)
            if terms is None:
                continue
            chosen += 1
            try:
                check_terms(terms, version)
            except ValidationFailed as error:
                self.add_error(f"{tool.name}:decision", error.detail)
            if skips_people(terms, version):
                self.add_error(f"{tool.name}:decision", "It is irreversible: a person is asked every time.")
        if not chosen:
            self.add_error(None, "Give it one tool at least.")
        return self.cleaned_data

    def contribute(self, document: Document) -> None:
        """Add the grants, and offer the tools to the model."""
        (slug,) = document["agents"]
        for tool, _ in self.offered:
            terms = self._terms(tool)
            if terms is not None:
                grant: Document = {"decision": terms.decision}
                if terms.caps:
                    grant["caps"] = [dict(cap) for cap in terms.caps]
                if terms.confirmation:
                    grant["confirmation"] = True
                document["agents"][slug]["grants"][tool.name] = grant
                document["versions"][slug]["catalogue"].append(tool.name)

    def _terms(self, tool: Tool) -> Terms | None:
        decision = self.cleaned_data.get(f"{tool.name}:decision")
        if not decision:
            return None
        caps: dict[str, dict[str, Any]] = {}
        for per, what in (("call", "amount"), ("day", "count"), ("day", "amount")):
            value = self.cleaned_data.get(f"{tool.name}:{what}:{per}")
            if value is not None:
                plain = value if what == "count" else format(value, "f")
                caps.setdefault(per, {"per": per})[what] = plain
        confirmation = bool(self.cleaned_data.get(f"{tool.name}:confirmation"))
        return Terms(decision, tuple(caps.values()), confirmation=confirmation)


class BudgetStep(Step):
    """What its models may cost."""

    max_usd = forms.DecimalField(
        min_value=0, max_digits=8, decimal_places=2, initial="2.00", label="USD a run, at most"
    )
    max_steps = forms.IntegerField(min_value=1, max_value=1_000, initial=12, label="Steps a run, at most")
    day_usd = forms.DecimalField(
        min_value=0, max_digits=10, decimal_places=2, initial="20.00", label="USD a day, of all its runs"
    )
    max_extensions = forms.IntegerField(
        min_value=0, max_value=MOST_EXTENSIONS, initial=0, required=False,
        label="Times a run may ask to go on",
        help_text="At a limit of its own it then asks a person for more, instead of halting.",
    )  # fmt: skip

    def contribute(self, document: Document) -> None:
        """Add the ceilings of a run, and the budget that all runs share."""
        (slug,) = document["agents"]
        values = self.cleaned_data
        document["versions"][slug]["budget"] = {
            "max_usd": format(values["max_usd"], "f"),
            "max_steps": values["max_steps"],
        }
        if values["max_extensions"]:
            document["versions"][slug]["max_extensions"] = values["max_extensions"]
        team, usd = document["agents"][slug]["team"], format(values["day_usd"], "f")
        document["budgets"].append({"team": team, "agent": slug, "window": "day", "max_usd": usd})


class ApproversStep(Step):
    """Who is asked: nothing to fill in, for approvers belong to the tools."""


STEPS: dict[str, tuple[str, type[Step]]] = {
    "purpose": ("Purpose", PurposeStep),
    "template": ("Template", TemplateStep),
    "tools": ("Tools and terms", ToolsStep),
    "budget": ("Budget", BudgetStep),
    "approvers": ("Who approves", ApproversStep),
}


def _fields_of(tool: Tool) -> list[str]:
    return [f"{tool.name}:{name}" for name in _COLUMNS]


def copied_version(template: str) -> AgentVersion | None:
    """Return the agent version that a template names."""
    if template in dict(TEMPLATES) or not template:
        return None
    return AgentVersion.objects.select_related("identity").filter(pk=template).first()


def _proposed_terms(
    template: str, offered: list[tuple[Tool, ToolVersion]]
) -> dict[str, tuple[str, dict[str, Any]]]:
    copied = copied_version(template)
    if copied is not None:
        grants = ToolGrant.objects.permitting(AgentIdentity.objects.filter(pk=copied.identity_id))
        return {grant.tool.name: _terms_of(grant) for grant in grants.select_related("tool")}
    asked: dict[str, tuple[str, dict[str, Any]]] = {}
    for tool, version in offered:
        if version.effect == "read":
            asked[tool.name] = ("ALLOW", {})
        elif template == ASKER:
            asked[tool.name] = ("REQUIRE_APPROVAL", {})
    return asked


def _terms_of(grant: ToolGrant) -> tuple[str, dict[str, Any]]:
    caps = {
        f"{name}:{cap.get('per')}": cap[name]
        for cap in grant.caps
        for name in ("count", "amount")
        if cap.get(name)
    }
    return grant.decision, {**caps, "confirmation": grant.confirmation}
