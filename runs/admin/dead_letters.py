"""Runs that are parked because drive after drive has failed: the list, each with its facts, and two buttons."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.streams import register_streams
from identities.acting import acting_person
from runs.dead_letters import discard_letter, redrive_letter
from runs.models import DeadLetter
from runs.policies import CONTROL, may_control


@admin.register(DeadLetter)
class DeadLetterAdmin(GovernedAdmin):
    """What no driver takes any more, the newest first."""

    page_template = "runs/dead_letter.html"
    list_title = "Dead letters"
    empty_words = (
        "No run is parked: one comes here when drive after drive of it fails through a fault of ours."
    )
    list_display = (
        "agent",
        "reason",
        "attempts",
        state_column(),
        moment_column("parked_at", "parked"),
        "closed_by",
    )
    list_filter = ("state", "reason")
    list_select_related = ("run__identity", "closed_by")
    ordering = ("-id",)
    actions = ("redrive", "discard")

    @admin.display(description="agent")
    def agent(self, letter: DeadLetter) -> str:
        """Name the agent."""
        return str(letter.run.identity)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what list and page name."""
        related = "run__identity", "run__principal", "run__team", "run__application", "closed_by"
        return super().get_queryset(request).select_related(*related)

    def has_control_permission(self, request: HttpRequest, obj: DeadLetter | None = None) -> bool:
        """Offer the buttons to whom the services would let press them."""
        person = acting_person(request)
        return person.has_perm(CONTROL) if obj is None else may_control(person, obj.run).allowed

    @offered_when(DeadLetter.State.PARKED)
    @admin.action(permissions=["control"], description="Redrive")
    def redrive(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse:
        """Have parked runs driven again."""
        person = acting_person(request)
        asked = Confirmation("Have this run driven again, with all its tries?", "redriven", reason="optional")
        return perform(
            self,
            request,
            queryset,
            lambda it, why: redrive_letter(actor=person, letter=it, reason=why),
            asked,
        )

    @offered_when(DeadLetter.State.PARKED, danger=True)
    @admin.action(permissions=["control"], description="Discard")
    def discard(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse:
        """Give parked runs up."""
        person = acting_person(request)
        asked = Confirmation("Give this run up? It halts, and nothing more of it is done.", "discarded")
        return perform(
            self,
            request,
            queryset,
            lambda it, why: discard_letter(actor=person, letter=it, reason=why),
            asked,
        )


def find_parked(request: HttpRequest) -> QuerySet[DeadLetter]:
    """Return the runs that wait for a person's word."""
    return DeadLetter.objects.visible_to(acting_person(request)).parked()


register_destination(
    Destination("Dead letters", "admin:runs_deadletter_changelist", order=29, waiting=find_parked)
)
register_streams("dead_letter", DeadLetter.objects.visible_to)
