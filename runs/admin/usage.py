"""What agent versions did in the last week: runs, endings, cost per run by day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, TruncDate

from agentops.identifiers import first_id_at
from identities.models import User
from runs.models import Regression, Run

BROKEN = ("failed", "halted", "expired")
TREND_DAYS = 7
MOST_READ = 20_000  # about 20 ms of aggregation: the dashboard costs the same however many runs a week has


@dataclass(slots=True)
class Usage:
    """One agent version's week; ``daily`` is the cost of a run in USD, ``daily_steps`` its steps, oldest day first."""

    version_id: UUID
    agent_id: UUID
    slug: str
    name: str
    number: int
    runs: int = 0
    done: int = 0
    broken: int = 0
    spent: Decimal = Decimal(0)
    steps: int = 0
    daily: list[Decimal] = field(default_factory=lambda: [Decimal(0)] * TREND_DAYS)
    daily_steps: list[float] = field(default_factory=lambda: [0.0] * TREND_DAYS)
    regressions: list[Regression] = field(default_factory=list)
    first: date = date.min  # of the days

    @property
    def by_day(self) -> list[tuple[date, Decimal, float]]:
        """Return the days with what a run cost and how many steps it took: the numbers behind the lines."""
        days = (self.first + timedelta(days=number) for number in range(TREND_DAYS))
        return list(zip(days, self.daily, self.daily_steps, strict=True))

    @property
    def per_run(self) -> Decimal:
        """Return what a run cost on average, in USD."""
        return self.spent / self.runs

    @property
    def steps_per_run(self) -> float:
        """Return how many steps a run took on average."""
        return self.steps / self.runs


def first_id_since(moment: datetime) -> UUID:
    """Return the lowest id that a run started since can have; ids are ordered by time."""
    return first_id_at(int(moment.timestamp() * 1000))


def runs_since(user: User, moment: datetime) -> QuerySet[Run]:
    """Return the visible runs started since: a range of the key."""
    return Run.objects.visible_to(user).filter(pk__gte=first_id_since(moment))


@dataclass(frozen=True, slots=True)
class Week:
    """The busiest versions; ``is_cut`` when as many runs were read as ever are, and only the newest count."""

    rows: list[Usage]
    is_cut: bool
    since: datetime


def weekly_usage(user: User, today: datetime, most: int) -> Week:
    """Return the busiest versions of the last seven days, and what each takes more of than the one before it."""
    first = today - timedelta(days=TREND_DAYS - 1)
    runs = runs_since(user, first)
    oldest_read = runs.order_by("-pk").values("pk")[MOST_READ - 1 : MOST_READ]
    read = runs.filter(pk__gte=Coalesce(Subquery(oldest_read), first_id_since(first)))
    found = _add_up(read, first.date())
    busiest = sorted(found, key=lambda usage: usage.runs, reverse=True)[:most]
    regressions = _find_regressions([usage.version_id for usage in busiest])
    for usage in busiest:
        usage.regressions = regressions.get(usage.version_id, [])
    return Week(busiest, sum(usage.runs for usage in found) >= MOST_READ, first)


def _find_regressions(versions: list[UUID]) -> dict[UUID, list[Regression]]:
    found: dict[UUID, list[Regression]] = {}
    for each in Regression.objects.filter(version__in=versions).select_related("than").order_by("unit"):
        found.setdefault(each.version_id, []).append(each)
    return found


def _add_up(runs: QuerySet[Run], first: date) -> list[Usage]:
    found: dict[UUID, Usage] = {}
    for day in _by_day(runs):
        usage = found.setdefault(
            day["agent_version_id"],
            Usage(
                day["agent_version_id"],
                day["identity_id"],
                day["identity__slug"],
                day["identity__name"],
                day["agent_version__number"],
                first=first,
            ),
        )
        _add_day(usage, day, first)
    return list(found.values())


def _by_day(runs: QuerySet[Run]) -> Any:  # Any: rows of annotations
    names = ("agent_version_id", "agent_version__number", "identity_id", "identity__slug", "identity__name")
    return (
        runs.order_by()
        .values(*names, day=TruncDate("created_at"))
        .annotate(
            runs=Count("pk"),
            done=Count("pk", filter=Q(state="completed")),
            broken=Count("pk", filter=Q(state__in=BROKEN)),
            spent=Sum("usd"),
            steps=Sum("steps"),
        )
    )


def _add_day(usage: Usage, day: dict[str, Any], first: date) -> None:
    usage.runs += day["runs"]
    usage.done += day["done"]
    usage.broken += day["broken"]
    usage.spent += day["spent"]
    usage.steps += day["steps"]
    place = (day["day"] - first).days
    if 0 <= place < TREND_DAYS:
        usage.daily[place] = day["spent"] / day["runs"]
        usage.daily_steps[place] = day["steps"] / day["runs"]
