"""What keeps production from starting, for those who run the installation."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse

from agentops.console.navigation import Destination, register_destination
from identities.acting import acting_person
from runs.policies import may_inspect_installation
from runs.preflight import advise_installation, check_installation


def may_look(request: HttpRequest) -> bool:
    """Whether the page is for this person."""
    return may_inspect_installation(acting_person(request))


def preflight_view(request: HttpRequest) -> TemplateResponse:
    """Show what the installation lacks, its published versions included."""
    if not may_look(request):
        raise PermissionDenied
    context = {
        **admin.site.each_context(request),
        "title": "Preflight",
        "findings": check_installation(),
        "advice": list(advise_installation()),
        "enforced": settings.PRODUCTION,
    }
    return TemplateResponse(request, "runs/preflight.html", context)


register_destination(
    Destination("Preflight", "admin:runs_preflight", order=78, section="Govern", shown=may_look)
)
