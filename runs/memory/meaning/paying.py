"""What is paid for a note's vector: out of the budgets of its agent and its team, for its run may have ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from runs.escrow import open_windows_for
from runs.planner.answers import PlannerFailure, Usage
from runs.planner.prices import Price, cost

# Held in the order of their ids, as whoever draws for a run holds them.
_LEFT = """
SELECT bw.id, b.max_tokens - bw.committed_tokens, b.max_usd - bw.committed_usd
FROM runs_budget b JOIN runs_budgetwindow bw
    ON bw.budget_id = b.id AND bw.starts_at = date_trunc(b."window", %(now)s::timestamptz, 'UTC')
WHERE b.team_id = %(team)s AND (b.identity_id IS NULL OR b.identity_id = %(identity)s)
ORDER BY bw.id FOR NO KEY UPDATE OF bw
"""
_COMMIT = """
UPDATE runs_budgetwindow SET committed_tokens = committed_tokens + %s, committed_usd = committed_usd + %s
WHERE id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Charge:
    """Tokens and USD of one call; ``estimated`` where nobody said what it took, and the worst is charged."""

    tokens: int
    usd: Decimal
    estimated: bool = False


NOTHING = Charge(0, Decimal(0))


@dataclass
class Held:
    """What is held for a call, in which windows, and what of it the call has taken: all, until somebody says less."""

    windows: list[int]
    worst: Charge
    taken: Charge

    def settle(self, usage: Usage | None, price: Price) -> None:
        """Take what the provider says that it took."""
        if usage is not None:
            self.taken = Charge(usage.input_tokens + usage.output_tokens, cost(price, usage))

    def fail(self, failure: PlannerFailure, price: Price) -> None:
        """Take what a call has cost that came to nothing."""
        if failure.usage is None and failure.charge == "none":
            self.taken = NOTHING
        self.settle(failure.usage, price)


@contextmanager
def holding(team: UUID, identity: UUID, worst: Charge, now: datetime) -> Iterator[Held | None]:
    """Hold the worst case in all windows that bind an agent, and settle it; None where one of them has too little.

    Whoever dies in between has it charged in full.
    """
    windows = _hold(team, identity, worst, now)
    if windows is None:
        yield None
        return
    held = Held(windows, worst, Charge(worst.tokens, worst.usd, estimated=True))
    try:
        yield held
    finally:
        _change(windows, held.taken.tokens - worst.tokens, held.taken.usd - worst.usd)


@transaction.atomic
def _hold(team: UUID, identity: UUID, worst: Charge, now: datetime) -> list[int] | None:
    with connection.cursor() as cursor:
        open_windows_for(cursor, team, identity, now)
        cursor.execute(_LEFT, {"team": team, "identity": identity, "now": now})
        rows = cursor.fetchall()
    for _, tokens, usd in rows:
        if (tokens is not None and tokens < worst.tokens) or (usd is not None and usd < worst.usd):
            return None
    windows = [row[0] for row in rows]
    _change(windows, worst.tokens, worst.usd)
    return windows


def _change(windows: list[int], tokens: int, usd: Decimal) -> None:
    if windows:
        with connection.cursor() as cursor:
            cursor.execute(_COMMIT, (tokens, usd, windows))
