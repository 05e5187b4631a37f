"""Second looks: what was drawn of what people approved, and what somebody else says of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.governed import GovernedAdmin
from agentops.console.templatetags.console import badge
from approvals.models import SecondLook
from approvals.second_looks import take_second_look
from identities.acting import acting_person

OPEN = "open"


@admin.register(SecondLook)
class SecondLookAdmin(GovernedAdmin):
    """What was drawn, what nobody has looked at first."""

    list_display = ("__str__", "what", "state_badge", moment_column("drawn_at", "drawn"), "seen_by")
    list_select_related = ("request__identity", "request__tool", "seen_by")
    list_title = "Second looks"
    linked_by = ("seen_at", "stage")
    ordering = ("-seen_at", "drawn_at")  # nulls, which are those still open, come first
    page_template = "identities/facts.html"
    actions = ("agree", "disagree")

    @admin.display(description="request")
    def what(self, look: SecondLook) -> SafeString:
        """Lead to the request, where everything about it stands."""
        address = reverse("admin:approvals_approvalrequest_change", args=[look.pk])
        return format_html('<a href="{}">{}</a>', address, look.request)

    @admin.display(description="state")
    def state_badge(self, look: SecondLook) -> SafeString:
        """Say what came of it."""
        return badge(self.action_state(look))

    def action_state(self, subject: SecondLook) -> str:
        """Return open, agree or disagree; one of a stage is taken by deciding."""
        if subject.seen_at is None and subject.stage is not None:
            return "waiting"
        return subject.verdict or OPEN

    def has_take_permission(self, request: HttpRequest, obj: SecondLook | None = None) -> bool:
        """Whether this person may take this second look, or some."""
        mine = SecondLook.objects.open_to(acting_person(request))
        return mine.exists() if obj is None else mine.filter(pk=obj.pk).exists()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        related = "request__identity", "request__tool", "seen_by", "rule"
        return super().get_queryset(request).select_related(*related)

    def page_context(self, request: HttpRequest, subject: SecondLook) -> dict[str, Any]:
        """Say it in words."""
        when = "before the effect, by deciding in the stage added for it"
        facts = {
            "State": self.action_state(subject),
            "Request": self.what(subject),
            "When": "after it was approved" if subject.stage is None else when,
            "Drawn": subject.drawn_at,
            "Said by": subject.seen_by,
            "Said": subject.seen_at,
        }
        return {"facts": facts, "stream": subject.pk}

    @offered_when(OPEN)
    @admin.action(permissions=["take"], description="I would have approved it")
    def agree(self, request: HttpRequest, queryset: QuerySet[SecondLook]) -> HttpResponse:
        """Say that the decision was right."""
        return self._take(request, queryset, agrees=True)

    @offered_when(OPEN, danger=True)
    @admin.action(permissions=["take"], description="I would not have")
    def disagree(self, request: HttpRequest, queryset: QuerySet[SecondLook]) -> HttpResponse:
        """Say that it was not, and why."""
        return self._take(request, queryset, agrees=False)

    def _take(self, request: HttpRequest, queryset: QuerySet[SecondLook], *, agrees: bool) -> HttpResponse:
        person = acting_person(request)
        question = "Would you have approved this, too? It changes nothing about the call; it is kept."
        other = "You would not have approved this? It changes nothing about the call; why is kept."
        asked = Confirmation(
            question if agrees else other, "looked at", reason="optional" if agrees else "needed"
        )
        return perform(
            self, request, queryset,
            lambda look, reason: take_second_look(actor=person, look=look, agrees=agrees, reason=reason), asked,
        )  # fmt: skip
