"""The what-if page of an agent: a form, and the decision with everything that was looked at."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from identities.acting import acting_person
from identities.models import AgentIdentity
from runs.models import AgentVersion
from runs.what_if import foresee_call
from tools.authority import Decision

# How a verdict is said to people.
ANSWERS = {
    "ALLOW": "It would go out",
    "REQUIRE_APPROVAL": "A person would be asked",
    "DENY": "It would be refused",
}


class WhatIfForm(forms.Form):
    """A call that nobody makes."""

    tool = forms.ChoiceField()
    # Not required, for Django takes {} for nothing at all.
    arguments = forms.JSONField(
        required=False, initial=dict, widget=forms.Textarea(attrs={"rows": 4}), help_text="As JSON."
    )
    issuer = forms.CharField(required=False, max_length=200, label="End user's issuer")
    subject = forms.CharField(required=False, max_length=200, label="End user's id there")

    def __init__(self, *args: Any, tools: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tool = self.fields["tool"]
        assert isinstance(tool, forms.ChoiceField)  # noqa: S101  declared above
        tool.choices = [(name, name) for name in tools]


def what_if_view(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Show what would be decided."""
    agent = AgentIdentity.objects.visible_to(acting_person(request)).filter(pk=agent_id).first()
    if agent is None:
        raise Http404
    form = WhatIfForm(request.POST or None, tools=_offered(agent))
    decision = _foresee(agent, form.cleaned_data) if form.is_valid() else None
    context = {
        **admin.site.each_context(request),
        "opts": AgentIdentity._meta,
        "title": f"What if: {agent}",
        "agent": agent,
        "form": form,
        "decision": decision,
        "answer": decision and ANSWERS[decision.verdict],
    }
    return TemplateResponse(request, "runs/what_if.html", context, status=422 if form.errors else 200)


def _offered(agent: AgentIdentity) -> list[str]:
    version = AgentVersion.objects.filter(identity=agent, state="published").first()
    return [] if version is None else sorted(version.catalogue.values_list("tool__name", flat=True))


def _foresee(agent: AgentIdentity, values: dict[str, Any]) -> Decision:
    return foresee_call(
        agent, values["tool"], values["arguments"] or {}, issuer=values["issuer"], subject=values["subject"]
    )
