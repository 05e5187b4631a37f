"""Try a tool as yourself: a form made of its schema, and what would become of the call. Nothing is called."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from identities.acting import acting_person
from identities.models import AgentIdentity, User
from runs.admin.what_if import ANSWERS
from runs.trying import (
    Trial,
    agents_offering,
    may_ask_for_others,
    previews_of,
    principal_of,
    spec_for,
    try_call,
)
from tools.admin.schema_form import ArgumentsForm
from tools.calls import ToolSpec
from tools.models import Tool


class WhoseForm(forms.Form):
    """By whom, and on whose behalf."""

    agent = forms.ChoiceField(required=False, label="Agent")
    issuer = forms.CharField(
        required=False, max_length=200, label="End user's issuer", help_text="Empty: yourself."
    )
    subject = forms.CharField(required=False, max_length=200, label="End user's id there")

    def __init__(self, *args: Any, agents: list[AgentIdentity], for_others: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "none: the definition alone"), *((agent.slug, str(agent)) for agent in agents)]
        self.fields["agent"] = forms.ChoiceField(choices=choices, required=False, label="Agent")
        if not for_others:
            del self.fields["issuer"], self.fields["subject"]

    def principal(self, person: User) -> tuple[str, str]:
        """Return for whom it is asked: the person, unless another was named by somebody who may."""
        named = self.cleaned_data.get("issuer", ""), self.cleaned_data.get("subject", "")
        return named if any(named) else principal_of(person)


def try_view(request: HttpRequest, tool_id: UUID) -> HttpResponse:
    """Show the form, and for what was filled in everything that can be known without calling anybody."""
    person = acting_person(request)
    tool = Tool.objects.visible_to(person).select_related("team").filter(pk=tool_id).first()
    if tool is None:
        raise Http404
    agents = agents_offering(tool, person)
    whose = WhoseForm(_given(request, agents), agents=agents, for_others=may_ask_for_others(person, tool))
    agent = _chosen(whose, agents)
    spec = spec_for(tool, agent)
    form = ArgumentsForm(request.POST or None, schema=spec.input_schema) if spec else None
    trial = _try(request, person, spec, agent, whose, form)
    previews, dry_runs = previews_of(tool, spec) if spec else ([], [])
    context = {
        **admin.site.each_context(request),
        "opts": Tool._meta,
        "title": f"Try {tool}",
        "tool": tool,
        "spec": spec,
        "agent": agent,
        "whose": whose,
        "form": form,
        "trial": trial,
        "answer": trial and trial.decision and ANSWERS[trial.decision.verdict],
        "principal": whose.principal(person) if whose.is_valid() else principal_of(person),
        "is_self": not whose.is_valid() or whose.principal(person) == principal_of(person),
        "previews": previews,
        "dry_runs": dry_runs,
    }
    failed = request.method == "POST" and trial is None
    return TemplateResponse(request, "runs/try_it.html", context, status=422 if failed else 200)


def _given(request: HttpRequest, agents: list[AgentIdentity]) -> Any:  # Any: what a form is bound to
    """Return what was chosen; on a first look the only agent there is, if there is one."""
    if request.method == "POST":
        return request.POST
    chosen = request.GET.get("agent", agents[0].slug if len(agents) == 1 else "")
    return {"agent": chosen}


def _chosen(whose: WhoseForm, agents: list[AgentIdentity]) -> AgentIdentity | None:
    slug = whose.cleaned_data.get("agent") if whose.is_valid() else ""
    return next((agent for agent in agents if agent.slug == slug), None)


def _try(
    request: HttpRequest,
    person: User,
    spec: ToolSpec | None,
    agent: AgentIdentity | None,
    whose: WhoseForm,
    form: ArgumentsForm | None,
) -> Trial | None:
    if request.method != "POST" or spec is None or form is None or not (whose.is_valid() and form.is_valid()):
        return None
    return try_call(spec, agent, form.cleaned_data["arguments"], whose.principal(person))
