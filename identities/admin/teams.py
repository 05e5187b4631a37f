"""Teams, and who belongs to them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from agentops.console.columns import moment_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.streams import register_streams
from identities.models import Team


@admin.register(Team)
class TeamAdmin(GovernedAdmin):
    """The viewer's teams."""

    page_template = "identities/team.html"
    list_display = ("name", "slug", "agents_count", "members_count", moment_column("created_at", "created"))
    search_fields = ("name", "slug")
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Count agents and members with the rows."""
        counts = {"agents_n": Count("agents", distinct=True), "members_n": Count("members", distinct=True)}
        visible = super().get_queryset(request).values("pk")
        return Team.objects.filter(pk__in=visible).annotate(**counts).order_by("slug")

    @admin.display(description="agents")
    def agents_count(self, team: Any) -> int:
        """Return the number of agents; Any: an annotation."""
        return int(team.agents_n)

    @admin.display(description="members")
    def members_count(self, team: Any) -> int:
        """Return the number of members; Any: an annotation."""
        return int(team.members_n)

    def page_context(self, request: HttpRequest, subject: Team) -> dict[str, Any]:
        """Add the members, the agents and the applications."""
        return {
            "members": subject.members.order_by("username")[:100],
            "agents": subject.agents.select_related("owner")[:100],
            "applications": subject.applications.all()[:100],
        }


register_destination(
    Destination("Teams", "admin:identities_team_changelist", order=93, section="People and access")
)
register_streams("team", Team.objects.visible_to)
