"""Parts of a tool's page: its versions, and how its breaker has moved."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from tools.breaker_history import DAYS, BreakerHistory, read_breaker_history
from tools.mirror import ShownBreaker
from tools.models import Tool, ToolVersion

VERSIONS_SHOWN = 10


def read_versions(request: HttpRequest, tool: Tool) -> list[ToolVersion]:
    """Return the newest versions of a tool, read once for all parts of a page."""
    known: dict[UUID, list[ToolVersion]] = request.META.setdefault("agentops.versions", {})
    if tool.pk not in known:
        known[tool.pk] = list(tool.versions.order_by("-number")[:VERSIONS_SHOWN])
    return known[tool.pk]


def newest_version(request: HttpRequest, tool: Tool) -> ToolVersion | None:
    """Return the newest version of a tool, None for one without any."""
    return next(iter(read_versions(request, tool)), None)


def read_moves(subject: Tool, shown: ShownBreaker) -> dict[str, Any]:
    """Return how the breaker has moved, with the stretches of the picture as shares of its length."""
    now = timezone.now()
    history = read_breaker_history(subject, shown, now)
    return {"history": history, "days": DAYS, "spans": _shares(history, now)}


def _shares(history: BreakerHistory, now: datetime) -> list[tuple[float, float, str]]:
    length = (now - history.since).total_seconds()

    def share(at: datetime) -> float:
        return max(0.0, (at - history.since).total_seconds() / length)

    return [(share(first), share(last), state) for first, last, state in history.spans]
