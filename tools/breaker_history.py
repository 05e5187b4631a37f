"""How a tool's breaker has moved, by itself and by people's hands, and when no calls went out for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import OuterRef, Subquery

from agentops.ledger.decoding import decode_members
from agentops.ledger.models import Entry
from identities.models import User
from tools.mirror import ShownBreaker
from tools.models import BreakerTransition, Tool

DAYS = 30
MOST_SHOWN = 100
# What people did to a breaker is in the tool's stream of the ledger, by these kinds.
BY_HAND = {"breaker.forced_open": "forced_open", "breaker.force_lifted": "lifted", "breaker.reset": "reset"}

Span = tuple[datetime, datetime, Literal["open", "forced_open"]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One move: what the breaker became, why, and by whom; ``by`` is empty where it moved by itself."""

    at: datetime
    what: str  # open, closed, forced_open, lifted, reset
    before: str = ""
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class BreakerHistory:
    """The moves since ``since``, newest first, and the times in which no calls went out, oldest first."""

    since: datetime
    turns: tuple[Turn, ...]
    spans: tuple[Span, ...]
    is_cut: bool

    @property
    def openings(self) -> int:
        """Return how often it opened by itself from being closed: a failed probe only keeps it open."""
        return sum(turn.what == "open" and turn.before == "closed" for turn in self.turns)


def read_breaker_history(tool: Tool, shown: ShownBreaker, now: datetime) -> BreakerHistory:
    """Return the last 30 days of a breaker that stands as ``shown`` now; two queries."""
    since = now - timedelta(days=DAYS)
    found = sorted([*_by_itself(tool, since), *_by_hand(tool, since)], key=lambda turn: turn.at, reverse=True)
    turns, is_cut = tuple(found[:MOST_SHOWN]), len(found) > MOST_SHOWN
    begin = turns[-1].at if is_cut else since
    return BreakerHistory(begin, turns, tuple(_spans(turns, shown, begin, now)), is_cut)


def _by_itself(tool: Tool, since: datetime) -> Iterator[Turn]:
    rows = BreakerTransition.objects.filter(tool=tool, at__gte=since).order_by("-at")[: MOST_SHOWN + 1]
    for row in rows:
        yield Turn(row.at, row.after, row.before, row.reason)


def _by_hand(tool: Tool, since: datetime) -> Iterator[Turn]:
    entries = Entry.objects.filter(stream_id=tool.pk, kind__in=BY_HAND, at__gte=since)
    person = User.objects.filter(pk=OuterRef("actor")).values("username")
    told = entries.annotate(by=Subquery(person[:1])).order_by("-seq")[: MOST_SHOWN + 1]
    for kind, at, by, content, seq in told.values_list("kind", "at", "by", "content", "seq"):
        reason = decode_members(content, seq).get("reason", "") if content else ""
        yield Turn(at, BY_HAND[kind], "", str(reason), by or "somebody")


def _spans(turns: Sequence[Turn], shown: ShownBreaker, begin: datetime, now: datetime) -> Iterator[Span]:
    """Return when it was open, and when somebody kept it so; the two may overlap."""
    oldest_first = list(reversed(turns))
    automatic = [turn for turn in oldest_first if turn.what in ("open", "closed", "reset")]
    forced = [turn for turn in oldest_first if turn.what in ("forced_open", "lifted")]
    was_open = (
        automatic[0].before in ("open", "half_open") if automatic else shown.state in ("open", "half_open")
    )
    was_forced = forced[0].what == "lifted" if forced else shown.state == "forced_open"
    for first, last in _stretches(automatic, "open", begin if was_open else None, now):
        yield first, last, "open"
    for first, last in _stretches(forced, "forced_open", begin if was_forced else None, now):
        yield first, last, "forced_open"


def _stretches(
    turns: Sequence[Turn], opening: str, opened: datetime | None, now: datetime
) -> Iterator[tuple[datetime, datetime]]:
    for turn in turns:
        if turn.what == opening:
            opened = opened or turn.at
        elif opened is not None:
            yield opened, turn.at
            opened = None
    if opened is not None:
        yield opened, now
