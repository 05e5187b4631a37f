"""What agents have noted for later runs: the list, each note with what it has reached, and three buttons."""

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
from agentops.console.words import count
from identities.acting import acting_person
from runs.memory.affected import find_affected
from runs.memory.policies import RELEASE, may_release
from runs.memory.services import delete_memory, release_memory, revert_memory
from runs.models import Memory
from runs.policies import CONTROL, may_control

State = Memory.State


@admin.register(Memory)
class MemoryAdmin(GovernedAdmin):
    """What later runs are shown, or wait to be shown, the newest first."""

    page_template = "runs/memory.html"
    list_title = "Memories"
    empty_words = "No agent has noted anything: one does only where its version has a memory."
    list_display = (
        "note",
        "identity",
        "principal",
        "label",
        "sensitive",
        state_column(),
        moment_column("written_at", "written"),
        moment_column("expires_at", "expires"),
    )
    list_filter = ("state", "label", "sensitive")
    list_select_related = ("identity", "principal")
    ordering = ("-id",)
    actions = ("release", "revert", "delete_note")

    @admin.display(description="note")
    def note(self, memory: Memory) -> str:
        """Return how the note begins."""
        return f"{memory.text[:80]}…" if len(memory.text) > 80 else memory.text or "deleted"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what list and page name."""
        related = (
            "identity",
            "principal",
            "run__team",
            "run__application",
            "run__identity",
            "run__principal",
            "settled_by",
        )
        return super().get_queryset(request).select_related(*related)

    def page_context(self, request: HttpRequest, subject: Any) -> dict[str, Any]:
        """Add what the note has reached."""
        return {"reached": find_affected(subject, acting_person(request))}

    def has_release_permission(self, request: HttpRequest, obj: Memory | None = None) -> bool:
        """Offer the button to whom the service would let press it."""
        person = acting_person(request)
        return person.has_perm(RELEASE) if obj is None else may_release(person, obj).allowed

    def has_control_permission(self, request: HttpRequest, obj: Memory | None = None) -> bool:
        """Offer the buttons to whom the services would let press them."""
        person = acting_person(request)
        return person.has_perm(CONTROL) if obj is None else may_control(person, obj.run).allowed

    @offered_when(State.QUARANTINED)
    @admin.action(permissions=["release"], description="Release")
    def release(self, request: HttpRequest, queryset: QuerySet[Memory]) -> HttpResponse:
        """Let later runs read notes that were kept from them."""
        person = acting_person(request)
        asked = Confirmation("Let later runs of this agent for this user read this note?", "released")
        return perform(
            self,
            request,
            queryset,
            lambda it, why: release_memory(actor=person, memory=it, reason=why),
            asked,
        )

    @offered_when(State.ACTIVE, State.QUARANTINED, danger=True)
    @admin.action(permissions=["control"], description="Take back")
    def revert(self, request: HttpRequest, queryset: QuerySet[Memory]) -> HttpResponse:
        """Take notes back at once."""
        person = acting_person(request)
        chosen = list(queryset[:2])
        foreseen = _foresee(chosen[0], request) if len(chosen) == 1 else ()
        asked = Confirmation(
            "Take this note back? No run is shown it from now on.", "taken back", foreseen=foreseen
        )
        return perform(
            self, request, queryset, lambda it, why: revert_memory(actor=person, memory=it, reason=why), asked
        )

    @offered_when(State.ACTIVE, State.QUARANTINED, State.REVERTED, danger=True)
    @admin.action(permissions=["control"], description="Delete")
    def delete_note(self, request: HttpRequest, queryset: QuerySet[Memory]) -> HttpResponse:
        """Delete the words of notes."""
        person = acting_person(request)
        asked = Confirmation("Delete the words of this note?", "deleted", reason="optional")
        return perform(
            self, request, queryset, lambda it, why: delete_memory(actor=person, memory=it, reason=why), asked
        )


def _foresee(memory: Memory, request: HttpRequest) -> list[str]:
    reached = find_affected(memory, acting_person(request))
    runs = {each.run_id for each in reached.readings}
    read = f"{count(len(runs), 'run has', 'runs have')} been shown it, or what rests on it"
    return [read, f"{count(len(reached.notes), 'note was', 'notes were')} written since by these"]


def find_quarantined(request: HttpRequest) -> QuerySet[Memory]:
    """Return what waits for a person's word."""
    return Memory.objects.visible_to(acting_person(request)).quarantined()


register_destination(
    Destination("Memories", "admin:runs_memory_changelist", order=31, waiting=find_quarantined)
)
register_streams("memory", Memory.objects.visible_to)
