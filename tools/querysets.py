"""Which tools and grants somebody may see. The default is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from identities.querysets import is_known_person

if TYPE_CHECKING:
    from identities.models import User
    from tools.models import Tool, ToolGrant  # noqa: F401  named in strings


class ToolQuerySet(models.QuerySet["Tool"]):
    def visible_to(self, user: User) -> Self:
        """Return the tools of a person's teams, or those that an application's agents are granted."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            from identities.models import AgentIdentity

            agents = AgentIdentity.objects.visible_to(user)
            return self.filter(grants__identity__in=agents, grants__state="active").distinct()
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class ToolGrantQuerySet(models.QuerySet["ToolGrant"]):
    def visible_to(self, user: User) -> Self:
        """Return the grants of the agents of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(identity__team__members=user)
