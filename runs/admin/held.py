"""The page of what is about to go out, where people veto it."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from agentops.console.navigation import Destination, register_destination
from identities.acting import acting_person
from runs.held import find_held, read_held
from runs.models import ToolCall


def held_view(request: HttpRequest) -> HttpResponse:
    """Show the calls that are held in the viewer's runs, the first to go first."""
    context = {**admin.site.each_context(request), "title": "Held for a veto"}
    return TemplateResponse(request, "runs/held.html", {**context, "held": read_held(acting_person(request))})


def _find(request: HttpRequest) -> QuerySet[ToolCall]:
    return find_held(acting_person(request))


register_destination(Destination("Held for a veto", "admin:runs_run_held", order=25, waiting=_find))
