"""Roles and groups: what their members may do, each in the teams they belong to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from identities.acting import acting_person
from identities.admin.people import people_visible_to
from identities.querysets import is_known_person
from identities.roles import ROLES


@admin.register(Group)
class GroupAdmin(GovernedAdmin):
    """All groups; of their members those whom the viewer sees."""

    list_title = "Roles and groups"
    list_display = ("name", "kind", "permissions_count")
    page_template = "identities/group.html"
    ordering = ("name",)
    actions = None

    @admin.display(description="kind")
    def kind(self, group: Group) -> str:
        """Say whether it is fixed."""
        return "role" if group.name in ROLES else "group"

    @admin.display(description="permissions")
    def permissions_count(self, group: Any) -> int:
        """Return the number of permissions; Any: an annotation."""
        return int(group.permissions_n)

    def visible(self, queryset: Any, user: Any) -> QuerySet[Group]:
        """Show what there is to every person: who may do what is no secret among those who govern."""
        counted: QuerySet[Group] = queryset.annotate(permissions_n=Count("permissions"))
        return counted if is_known_person(user) else counted.none()

    def page_context(self, request: HttpRequest, subject: Group) -> dict[str, Any]:
        """Add what its members may do, and who they are."""
        permissions = subject.permissions.select_related("content_type").order_by(
            "content_type__app_label", "name"
        )
        members = people_visible_to(acting_person(request)).filter(groups=subject).order_by("username")
        return {"kind": self.kind(subject), "permissions": permissions, "members": members[:100]}

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Lead back: a group has no stream, who changed it has; Any: the admin's own signature."""
        return self.refuse_unknown(request)


register_destination(
    Destination("Roles", "admin:auth_group_changelist", order=94, section="People and access")
)
