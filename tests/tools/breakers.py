"""Breakers that have really tripped, as a worker would leave them."""

from __future__ import annotations

from django.utils import timezone

from agentops.engine.breaker import BreakerSettings
from tools.breaker import breaker
from tools.models import BreakerState, Tool

AT_ONCE = BreakerSettings(consecutive_failures=1, open_s=60, open_cap_s=60)


def trip_unseen(tool: Tool, settings: BreakerSettings = AT_ONCE) -> None:
    """Let a breaker trip without a row that says so."""
    assert breaker().record(tool.pk, settings, False) is not None


def trip(tool: Tool, settings: BreakerSettings = AT_ONCE) -> None:
    """Let a breaker trip, with the row of the worker that saw it."""
    moved = breaker().record(tool.pk, settings, False)
    assert moved is not None
    seen = {
        "state": moved.after,
        "changed_at": timezone.now(),
        "retry_at": moved.retry_at,
        "reason": moved.reason,
    }
    BreakerState.objects.update_or_create(tool=tool, defaults=seen)
