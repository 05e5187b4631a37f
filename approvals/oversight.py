"""How well people decide: what the decisions of the last weeks say of who gave them, by person and by week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Count, Q

from approvals.considered import is_considered
from approvals.models import ApprovalDecision, ApprovalRequest, SecondLook
from identities.models import User

WINDOW = timedelta(days=28)
WEEK = timedelta(days=7)
MOST_READ = 5_000  # decisions, the latest; more tell nobody more
COLUMNS = (
    "decided_by__username",
    "verdict",
    "opened_s",
    "to_read",
    "unfolded",
    "request__effect",
    "decided_at",
)


@dataclass(slots=True)
class Tally:
    """What somebody's decisions add up to; a share is None of nothing."""

    name: str
    decided: int = 0
    approved: int = 0
    unopened: int = 0  # approved without having opened it by itself
    considered: int = 0
    measured: int = 0  # approvals of which it is known what there was to read
    unfolded: int = 0
    open_s: list[int] = field(default_factory=list)
    agreed: int = 0
    disagreed: int = 0

    @property
    def approve_rate(self) -> float | None:
        """Return which share of the decisions is a yes, in per cent."""
        return _share(self.approved, self.decided)

    @property
    def considered_rate(self) -> float | None:
        """Return which share of the approvals was open for long enough to read, in per cent."""
        return _share(self.considered, self.measured)

    @property
    def disagree_rate(self) -> float | None:
        """Return of which share of the second looks somebody disagreed, in per cent."""
        return _share(self.disagreed, self.agreed + self.disagreed)

    @property
    def median_s(self) -> float | None:
        """Return how long a request was open until it was decided, half of the time at most."""
        return median(self.open_s) if self.open_s else None


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


@dataclass(frozen=True, slots=True)
class Report:
    """The people who decided most come first; ``weeks`` are in order, each with the day that it begins with."""

    people: Sequence[Tally]
    weeks: Sequence[tuple[datetime, Tally]]
    is_cut: bool
    open_looks: int

    @property
    def busiest(self) -> int:
        """Return how many decisions the busiest week has."""
        return max(week.decided for _, week in self.weeks)


def read_report(user: User, now: datetime) -> Report:
    """Return how people have decided about what this person may see, in the last four weeks."""
    requests = ApprovalRequest.objects.visible_to(user)
    given = ApprovalDecision.objects.filter(
        request__in=requests.values("pk"), decided_at__gt=now - WINDOW, by_edit=False
    )
    rows = list(given.order_by("-decided_at").values_list(*COLUMNS)[: MOST_READ + 1])
    people: dict[str, Tally] = {}
    weeks = [(now - WEEK * back, Tally(f"{back}")) for back in range(4, 0, -1)]
    for name, *row in rows[:MOST_READ]:
        _add(people.setdefault(name, Tally(name)), row)
        week = min(3, int((now - row[-1]) / WEEK))
        _add(weeks[3 - week][1], row)
    _add_looks(people, user, now)
    ordered = sorted(people.values(), key=lambda tally: (-tally.decided, tally.name))
    looks = SecondLook.objects.visible_to(user).filter(seen_at=None, stage=None).count()
    return Report(ordered, weeks, len(rows) > MOST_READ, looks)


def _add(tally: Tally, row: Sequence[Any]) -> None:  # Any: columns
    verdict, opened_s, to_read, unfolded, effect, _ = row
    tally.decided += 1
    tally.unfolded += unfolded or 0
    if opened_s is not None:
        tally.open_s.append(opened_s)
    if verdict != "approve":
        return
    tally.approved += 1
    tally.unopened += opened_s is None
    considered = is_considered(opened_s, to_read, effect)
    tally.measured += considered is not None
    tally.considered += bool(considered)


def _add_looks(people: dict[str, Tally], user: User, now: datetime) -> None:
    """Count what second people said of whose approvals; of a stage of theirs, what those before them approved."""
    looks = SecondLook.objects.visible_to(user).filter(
        ~Q(verdict=""), seen_at__gt=now - WINDOW, request__decisions__verdict="approve"
    )
    others = looks.exclude(request__decisions__decided_by=None).order_by()
    counted = others.values_list("request__decisions__decided_by__username", "verdict", "seen_by__username")
    by_name: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for name, verdict, seen_by, number in _count(counted):
        if name != seen_by:
            by_name[name][verdict] += number
    for name, found in by_name.items():
        if name in people:
            people[name].agreed, people[name].disagreed = found["agree"], found["disagree"]


def _count(
    rows: Any,
) -> Iterable[tuple[str, str, str, int]]:  # Any: a queryset of values, which the stubs cannot name
    counted: Iterable[tuple[str, str, str, int]] = rows.annotate(number=Count("pk"))
    return counted
