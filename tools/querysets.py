"""Which tools and grants somebody may see. The default is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Greatest

from identities.querysets import is_known_person

if TYPE_CHECKING:
    from datetime import datetime

    from identities.models import AgentIdentity, User
    from tools.models import (  # noqa: F401  named in strings
        DecisionTable,
        DecisionTableVersion,
        ServerTool,
        Tool,
        ToolGrant,
        ToolServer,
        UserTerms,
    )


class ToolQuerySet(models.QuerySet["Tool"]):
    def visible_to(self, user: User) -> Self:
        """Return the tools of a person's teams, or those that an application's agents are granted."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            from identities.models import AgentIdentity
            from tools.models import ToolGrant

            granted = ToolGrant.objects.permitting(AgentIdentity.objects.visible_to(user))
            return self.filter(pk__in=granted.values("tool"))
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class ToolGrantQuerySet(models.QuerySet["ToolGrant"]):
    def visible_to(self, user: User) -> Self:
        """Return the grants of the agents of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(identity__team__members=user)

    def permitting(self, agents: models.QuerySet[AgentIdentity]) -> Self:
        """Return the grants in force by which these agents may do something: a denial is a grant too."""
        return self.filter(identity__in=agents, state="active").exclude(decision="DENY")


class UserTermsQuerySet(models.QuerySet["UserTerms"]):
    def visible_to(self, user: User) -> Self:
        """Return the terms for tools of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(tool__team__members=user)

    def standing(self) -> Self:
        """Return those that count now."""
        return self.filter(ended_at=None)


class ToolServerQuerySet(models.QuerySet["ToolServer"]):
    def visible_to(self, user: User) -> Self:
        """Return the servers of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class ServerToolQuerySet(models.QuerySet["ServerTool"]):
    def visible_to(self, user: User) -> Self:
        """Return what the servers of a person's teams list."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(server__team__members=user)


class DecisionTableQuerySet(models.QuerySet["DecisionTable"]):
    def visible_to(self, user: User) -> Self:
        """Return the tables of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class DecisionTableVersionQuerySet(models.QuerySet["DecisionTableVersion"]):
    def visible_to(self, user: User) -> Self:
        """Return the versions of the tables of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(table__team__members=user)

    def begun(self, now: datetime) -> Self:
        """Return the versions whose time it is, the one that counts first; a retired one still covers earlier ones."""
        begins = Greatest("effective_from", "published_at")
        return (
            self.exclude(state="draft")
            .annotate(begins=begins)
            .filter(models.Q(effective_until=None) | models.Q(effective_until__gt=now), begins__lte=now)
            .filter(models.Q(retired_at=None) | models.Q(retired_at__gte=models.F("begins")))
            .order_by("-begins", "-number")
        )
