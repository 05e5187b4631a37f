"""Looking closer at runs: what the model was shown in a step, and two runs side by side."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from agentops.errors import NotFound
from identities.acting import acting_person
from runs.comparing import compare_runs, find_earlier
from runs.models import Run
from runs.prompts import read_prompt

SAYS = {
    "system": "The rules",
    "user": "The user’s own words",
    "assistant": "The model’s words",
    "tool": "Tool output",
}
TONES = {"user": "said-user", "assistant": "said-model", "tool": "said-tool"}


def prompt_view(request: HttpRequest, pk: UUID, step: int) -> HttpResponse:
    """Show what the model was shown in a step of a run."""
    run = _find(request, pk)
    try:
        prompt = read_prompt(run, step)
    except NotFound as error:
        raise Http404(error.detail) from None
    told = [(SAYS[message["role"]], TONES.get(message["role"], ""), message) for message in prompt.messages]
    context = {
        "title": f"What the model was shown in step {step}",
        "run": run,
        "prompt": prompt,
        "told": told,
    }
    return _render(request, "runs/prompt.html", context)


def compare_view(request: HttpRequest) -> HttpResponse:
    """Show two runs side by side; without a second one, the agent's run before."""
    one = _find(request, _id(request.GET.get("one", "")))
    named = request.GET.get("other", "")
    other = _find(request, _id(named)) if named else find_earlier(one)
    if other is None:
        messages.info(request, "This is the agent's first run: there is none before it to compare with.")
        return HttpResponseRedirect(reverse("admin:runs_run_change", args=[one.pk]))
    comparison = compare_runs(one, other)
    return _render(request, "runs/compare.html", {"title": "Two runs", "comparison": comparison})


def _find(request: HttpRequest, pk: UUID) -> Run:
    visible = Run.objects.visible_to(acting_person(request))
    found = visible.filter(pk=pk).select_related("identity", "agent_version", "principal").first()
    if found is None:
        raise Http404("there is no such run")
    return found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404("no run's id") from None


def _render(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    everything = {**admin.site.each_context(request), "opts": Run._meta, **context}
    return TemplateResponse(request, template, everything)
