"""What has been spent of which budget in its present window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from identities.querysets import is_known_person
from runs.models import Budget, BudgetWindow


@dataclass(frozen=True, slots=True)
class Spending:
    """One ceiling of a budget and what is committed of it: spent, or held by runs that are going."""

    budget: Budget
    unit: str
    committed: Decimal
    limit: Decimal


def budgets_visible_to(user: Any) -> QuerySet[Budget]:
    """Return the budgets of a person's teams; Any: also an anonymous user."""
    if not is_known_person(user):
        return Budget.objects.none()
    return Budget.objects.all() if user.is_superuser else Budget.objects.filter(team__members=user)


def read_committed(budgets: QuerySet[Budget]) -> QuerySet[Budget]:
    """Load each budget's present window as ``open_windows``."""
    starts = window_starts(timezone.now())
    present = Q()
    for window, start in starts.items():
        present |= Q(budget__window=window, starts_at=start)
    return budgets.prefetch_related(
        Prefetch("windows", BudgetWindow.objects.filter(present), to_attr="open_windows")
    )


def window_starts(now: datetime) -> dict[str, datetime]:
    """Return when the present hour, day and month began (UTC)."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    return {"hour": hour, "day": day, "month": day.replace(day=1)}


def list_spending(budgets: QuerySet[Budget], most: int) -> list[Spending]:
    """Return the ceilings that are closest to being reached, fullest first."""
    ceilings = [spending for budget in read_committed(budgets) for spending in _ceilings(budget)]
    return sorted(ceilings, key=lambda s: s.committed / s.limit, reverse=True)[:most]


def _ceilings(budget: Any) -> list[Spending]:  # Any: the windows are prefetched onto the row
    window = budget.open_windows[0] if budget.open_windows else None
    return [
        Spending(budget, unit, Decimal(getattr(window, f"committed_{unit}", 0)), Decimal(limit))
        for unit in ("usd", "tokens", "steps")
        if (limit := getattr(budget, f"max_{unit}"))
    ]
