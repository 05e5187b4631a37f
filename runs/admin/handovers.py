"""The queue of conversations that agents passed to people, with the form that answers them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from identities.acting import acting_person
from runs.admin.pages import read_questions
from runs.models import Handover

SHOWN = 50


@admin.register(Handover)
class HandoverAdmin(GovernedAdmin):
    """The oldest open conversation first; below, the latest answered ones."""

    actions = None

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the queue."""
        related = "run__identity", "run__principal", "answered_by"
        rows = Handover.objects.visible_to(acting_person(request)).select_related(*related)
        open_rows = list(rows.open().order_by("opened_at")[:SHOWN])
        answered = list(rows.filter(answered_at__isnull=False).order_by("-answered_at")[:10])
        questions = read_questions([*open_rows, *answered])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Handed over to people",
            "open": [(handover, questions.get(handover.pk)) for handover in open_rows],
            "answered": [(handover, questions.get(handover.pk)) for handover in answered],
        }
        return TemplateResponse(request, "runs/handovers.html", context)


def count_open(request: HttpRequest) -> int:
    """Count the conversations that wait for a person."""
    return Handover.objects.visible_to(acting_person(request)).open().order_by().count()


register_destination(Destination("Handovers", "admin:runs_handover_changelist", order=30, waiting=count_open))
