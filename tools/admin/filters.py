"""What the list of tools is narrowed by, beside state and team."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from tools.models import Tool

STOPPED = Q(forced_open_at__isnull=False) | Q(breaker_state__state__in=("open", "half_open"))


class BreakerFilter(admin.SimpleListFilter):
    """Narrow to the tools that are not being called."""

    title = "breaker"
    parameter_name = "breaker"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the one choice there is."""
        return [("stopped", "Not being called")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Tool]) -> QuerySet[Tool]:
        """Return those tools."""
        return queryset.filter(STOPPED) if self.value() == "stopped" else queryset
