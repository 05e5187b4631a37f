"""What a version of a decision table would have changed last month: a page of its own, for it decides much again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from agentops.console.panels import Panel, register_panel
from agentops.errors import ValidationFailed
from identities.acting import acting_person
from runs.models import Run
from runs.table_foresight import MOST, TableForesight, foresee_table
from tools.models import DecisionTable, DecisionTableVersion

SHOWN = 5


def read_versions(request: HttpRequest, subject: DecisionTable) -> dict[str, Any]:
    """Return the versions that can be asked about, the draft first."""
    return {"versions": list(subject.versions.all()[:SHOWN])}


def foresight_view(request: HttpRequest, version_id: UUID) -> HttpResponse:
    """Show which recorded decisions a version would have made otherwise."""
    person = acting_person(request)
    versions = DecisionTableVersion.objects.visible_to(person).select_related("table")
    version = versions.filter(pk=version_id).first()
    if version is None:
        raise Http404
    found, problem = _foresee(version)
    visible = Run.objects.visible_to(person).select_related("identity")
    runs = visible.in_bulk({each.run_id for each in found.listed}) if found else {}
    context = {
        **admin.site.each_context(request),
        "opts": DecisionTable._meta,
        "title": f"What {version} would have changed last month",
        "version": version,
        "found": found,
        "problem": problem,
        "listed": [(each, runs[each.run_id]) for each in found.listed if each.run_id in runs]
        if found
        else [],
        "most": MOST,
    }
    return TemplateResponse(request, "runs/table_foresight.html", context)


def _foresee(version: DecisionTableVersion) -> tuple[TableForesight | None, str]:
    try:
        return foresee_table(version), ""
    except ValidationFailed as error:
        return None, error.detail or error.code


register_panel(
    Panel("tools.decisiontable", "Last month, decided again", "runs/of_table.html", read_versions, 40)
)
