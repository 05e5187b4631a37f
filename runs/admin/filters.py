"""What the list of runs is narrowed by, beside the state."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from identities.acting import acting_person
from identities.models import AgentIdentity
from runs.admin.spending import window_starts
from runs.admin.usage import BROKEN, first_id_since
from runs.models import UNSETTLED, Run

MOST_AGENTS = 100
PARKED = Q(required_actions__contains=UNSETTLED)


def is_broken_today() -> Q:
    """Return the condition that a run ended badly today, or that nobody knows whether a call of it happened."""
    midnight = window_starts(timezone.now())["day"]
    return Q(state__in=BROKEN, pk__gte=first_id_since(midnight)) | PARKED


class AgentFilter(admin.SimpleListFilter):
    """Narrow by agent; the choices come from the agents, because looking for them in the runs would cost a scan."""

    title = "agent"
    parameter_name = "agent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the viewer's agents."""
        agents = AgentIdentity.objects.visible_to(acting_person(request))
        return list(agents.values_list("slug", "name")[:MOST_AGENTS])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        """Return the chosen agent's runs."""
        return queryset.filter(identity__slug=self.value()) if self.value() else queryset


class BrokenFilter(admin.SimpleListFilter):
    """Narrow to what the dashboard counts as broken."""

    title = "what needs a look"
    parameter_name = "broken"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the one choice there is."""
        return [("today", "Broken today")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        """Return those runs."""
        return queryset.filter(is_broken_today()) if self.value() == "today" else queryset
