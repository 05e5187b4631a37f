"""Which runs and agent versions somebody may see. The default is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from identities.querysets import is_known_person

if TYPE_CHECKING:
    from identities.models import User
    from runs.models import AgentVersion, Run  # noqa: F401  named in strings


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, user: User) -> Self:
        """Return the runs of a person's teams, or those that this application started."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            return self.filter(application__service_account=user)
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class AgentVersionQuerySet(models.QuerySet["AgentVersion"]):
    def visible_to(self, user: User) -> Self:
        """Return the versions of the agents of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(identity__team__members=user)
