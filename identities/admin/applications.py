"""Applications: the clients of the API, and which agents they may start."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.models import AgentIdentity, Application
from identities.policies import may_govern
from identities.services import revoke_application

CHANGE, ISSUE = "identities.change_application", "identities.add_apikey"


@admin.register(Application)
class ApplicationAdmin(GovernedAdmin):
    """The applications of the viewer's teams."""

    page_template = "identities/application.html"
    list_display = (
        "name",
        state_column(),
        "team",
        "may_assert_users",
        moment_column("created_at", "created"),
    )
    list_filter = ("state", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team",)
    search_fields = ("name", "slug")
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest, obj: Application | None = None) -> bool:
        """Whether this person may close the application, or some application."""
        person = acting_person(request)
        return (
            holds_somewhere(person, CHANGE)
            if obj is None
            else may_govern(person, CHANGE, obj.team, obj).allowed
        )

    @offered_when("active", danger=True)
    @admin.action(permissions=["revoke"], description="Revoke for good")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Application]) -> HttpResponse:
        """Close applications; their keys stop at once."""
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda application, reason: revoke_application(
                actor=person, application=application, reason=reason
            ),
            Confirmation("Revoke this application for good? Its keys stop working at once.", "revoked"),
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("team", "service_account")

    def page_context(self, request: HttpRequest, subject: Application) -> dict[str, Any]:
        """Add the agents that it may start, and its keys."""
        agents = AgentIdentity.objects.filter(
            agentidentityuserobjectpermission__user=subject.service_account_id,
            agentidentityuserobjectpermission__permission__codename="start_run",
        )
        keys = subject.service_account.api_keys.order_by("-created_at")[:50]
        may_issue = may_govern(acting_person(request), ISSUE, subject.team, subject).allowed
        return {"agents": agents.select_related("team"), "keys": keys, "may_issue": may_issue}


register_destination(
    Destination(
        "Applications", "admin:identities_application_changelist", order=90, section="People and access"
    )
)
register_streams("application", Application.objects.visible_to)
