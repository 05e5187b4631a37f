"""The queue of conversations that agents passed to people, with the form that answers them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from identities.acting import acting_person
from runs.admin.pages import read_questions
from runs.models import Handover, Run

SHOWN = 50
ENDED = ("completed", "halted", "failed", "cancelled", "expired")


@admin.register(Handover)
class HandoverAdmin(GovernedAdmin):
    """The oldest open conversation first; below, the latest answered ones."""

    actions = None

    def visible(self, queryset: Any, user: Any) -> QuerySet[Handover]:
        """Limit handovers to those of visible runs."""
        return handovers_visible_to(user)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the queue."""
        rows = self.get_queryset(request).select_related("run__identity", "run__principal", "answered_by")
        open_rows = list(
            rows.filter(answered_at=None).exclude(run__state__in=ENDED).order_by("opened_at")[:SHOWN]
        )
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


def handovers_visible_to(user: Any) -> QuerySet[Handover]:
    """Return the handovers of the runs that a user may see."""
    return Handover.objects.filter(run__in=Run.objects.visible_to(user))


def count_open(request: HttpRequest) -> int:
    """Count the conversations that wait for a person."""
    waiting = (
        handovers_visible_to(acting_person(request)).filter(answered_at=None).exclude(run__state__in=ENDED)
    )
    return waiting.order_by().count()


register_destination(Destination("Handovers", "admin:runs_handover_changelist", order=30, waiting=count_open))
