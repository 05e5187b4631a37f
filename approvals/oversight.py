"""How well people decide: what the decisions of the last weeks say of who gave them, by person and by week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q

from approvals.considered import is_considered
from approvals.models import ApprovalDecision, ApprovalRequest, SecondLook
from identities.models import User

WINDOW = timedelta(days=28)
WEEK = timedelta(days=7)
MOST_READ = 5_000  # decisions, the latest; more tell nobody more


class Given(NamedTuple):
    """One decision, as far as it says how well people decide."""

    name: str
    verdict: str
    opened_s: int | None
    to_read: int | None
    unfolded: int | None
    effect: str
    decided_at: datetime
    request: UUID


COLUMNS = (
    "decided_by__username", "verdict", "opened_s", "to_read", "unfolded", "request__effect", "decided_at", "request_id",
)  # fmt: skip


class Said(NamedTuple):
    """What a second person said of somebody's approval."""

    name: str
    verdict: str
    request: UUID


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
    rows, is_cut = read_given(user, now)
    people: dict[str, Tally] = {}
    weeks = [(now - WEEK * back, Tally(f"{back}")) for back in range(4, 0, -1)]
    for given in rows:
        _add(people.setdefault(given.name, Tally(given.name)), given)
        _add(weeks[week_of(given, now) - 1][1], given)
    for said in read_said(user, now):
        if said.name in people:
            people[said.name].agreed += said.verdict == "agree"
            people[said.name].disagreed += said.verdict == "disagree"
    ordered = sorted(people.values(), key=lambda tally: (-tally.decided, tally.name))
    looks = SecondLook.objects.visible_to(user).filter(seen_at=None, stage=None).count()
    return Report(ordered, weeks, is_cut, looks)


def read_given(user: User, now: datetime) -> tuple[list[Given], bool]:
    """Return the decisions of the last four weeks about what somebody may see, the latest first; and if there are more.

    An edit that was carried on as a yes is its editor's one decision, and counted where they made it.
    """
    requests = ApprovalRequest.objects.visible_to(user)
    given = ApprovalDecision.objects.filter(
        request__in=requests.values("pk"), decided_at__gt=now - WINDOW, by_edit=False
    )
    rows = list(given.order_by("-decided_at").values_list(*COLUMNS)[: MOST_READ + 1])
    return [Given(*row) for row in rows[:MOST_READ]], len(rows) > MOST_READ


def week_of(given: Given, now: datetime) -> int:
    """Return in which of the four weeks it was given, from 1; the last is this one."""
    return 4 - min(3, int((now - given.decided_at) / WEEK))


def read_said(user: User, now: datetime) -> list[Said]:
    """Return what second people said of whose approvals; of a stage of theirs, what those before them approved."""
    looks = SecondLook.objects.visible_to(user).filter(~Q(verdict=""), seen_at__gt=now - WINDOW)
    approved = looks.filter(request__decisions__verdict="approve").order_by("-seen_at")
    columns = "request__decisions__decided_by__username", "verdict", "pk", "seen_by__username"
    rows = approved.values_list(*columns)[:MOST_READ]
    return [Said(name, verdict, request) for name, verdict, request, seen_by in rows if name != seen_by]


def _add(tally: Tally, given: Given) -> None:
    tally.decided += 1
    tally.unfolded += given.unfolded or 0
    if given.opened_s is not None:
        tally.open_s.append(given.opened_s)
    if given.verdict != "approve":
        return
    tally.approved += 1
    tally.unopened += given.opened_s is None
    considered = is_considered(given.opened_s, given.to_read, given.effect)
    tally.measured += considered is not None
    tally.considered += bool(considered)
