"""End users: for whom runs act, and how they are erased."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.models import Principal
from identities.policies import may_govern
from runs.erasure import ERASE, erase_principal

RUNS_SHOWN = 20


@admin.register(Principal)
class PrincipalAdmin(GovernedAdmin):
    """The end users of the viewer's teams."""

    page_template = "runs/principal.html"
    list_display = ("subject", "issuer", "team", moment_column("created_at", "first seen"))
    list_select_related = ("team",)
    search_fields = ("=id", "subject")
    ordering = ("-id",)
    actions = ("erase",)

    def has_erase_permission(self, request: HttpRequest, obj: Principal | None = None) -> bool:
        """Whether this person may erase the end user, or some end user."""
        person = acting_person(request)
        return person.has_perm(ERASE) if obj is None else may_govern(person, ERASE, obj.team).allowed

    @offered_when("known", "erased", danger=True)
    @admin.action(permissions=["erase"], description="Erase this person")
    def erase(self, request: HttpRequest, queryset: QuerySet[Principal]) -> HttpResponse:
        """Erase end users: the words of all their runs, and who they are."""
        person = acting_person(request)
        asked = Confirmation(
            "Erase this person for good, with every word of all their runs? Do not name them in the reason.",
            "erased",
        )
        return perform(
            self,
            request,
            queryset,
            lambda principal, why: erase_principal(actor=person, principal=principal, reason=why),
            asked,
        )

    def action_state(self, subject: Principal) -> str:
        """Return whether the person is still known."""
        return "known" if subject.erased_at is None else "erased"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("team")

    def page_context(self, request: HttpRequest, subject: Principal) -> dict[str, Any]:
        """Add the latest runs."""
        return {"runs": subject.runs.select_related("identity").order_by("-pk")[:RUNS_SHOWN]}


register_destination(
    Destination("End users", "admin:identities_principal_changelist", order=94, section="People and access")
)
register_streams("principal", Principal.objects.visible_to)
