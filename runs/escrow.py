"""Shared budgets: a run draws what it needs in chunks, and returns what it did not use when it ends.

A hot row per agent or team would cost every call a lock; so a run holds an escrow, and only its draws
touch the shared rows, locked in the order of their ids. What a killed run holds is not lost: the run is
driven to its end by somebody else, and that returns it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from agentops.engine import events as e
from agentops.engine.budgets import Shortfall
from agentops.engine.state import Spent
from agentops.ledger.store import Cursor
from runs.session import GuardRefused, Session, utc_now

_SCOPE = """
SELECT max_steps IS NOT NULL, max_tokens IS NOT NULL, max_usd IS NOT NULL FROM runs_budget
WHERE team_id = %s AND (identity_id IS NULL OR identity_id = %s)
"""
_OPEN = """
INSERT INTO runs_budgetwindow (budget_id, starts_at, committed_steps, committed_tokens, committed_usd)
SELECT id, date_trunc("window", %(now)s::timestamptz, 'UTC'), 0, 0, 0 FROM runs_budget
WHERE team_id = %(team)s AND (identity_id IS NULL OR identity_id = %(identity)s) ORDER BY id ON CONFLICT DO NOTHING
"""
_WINDOWS = """
SELECT w.id FROM runs_budgetwindow w JOIN runs_budget b ON b.id = w.budget_id
WHERE b.team_id = %(team)s AND (b.identity_id IS NULL OR b.identity_id = %(identity)s)
    AND w.starts_at = date_trunc(b."window", %(now)s::timestamptz, 'UTC')
ORDER BY w.id FOR UPDATE OF w
"""
_COMMIT = """
UPDATE runs_budgetwindow w SET committed_steps = committed_steps + %(steps)s,
    committed_tokens = committed_tokens + %(tokens)s, committed_usd = committed_usd + %(usd)s
FROM runs_budget b
WHERE b.id = w.budget_id AND w.id = ANY(%(windows)s)
    AND (b.max_steps IS NULL OR committed_steps + %(steps)s <= b.max_steps)
    AND (b.max_tokens IS NULL OR committed_tokens + %(tokens)s <= b.max_tokens)
    AND (b.max_usd IS NULL OR committed_usd + %(usd)s <= b.max_usd)
RETURNING w.id
"""
_HOLD = """
INSERT INTO runs_escrow AS s (window_id, run_id, drawn_steps, drawn_tokens, drawn_usd)
SELECT w, %(run)s, %(steps)s, %(tokens)s, %(usd)s FROM unnest(%(windows)s::bigint[]) AS w
ON CONFLICT (window_id, run_id) DO UPDATE SET drawn_steps = s.drawn_steps + excluded.drawn_steps,
    drawn_tokens = s.drawn_tokens + excluded.drawn_tokens, drawn_usd = s.drawn_usd + excluded.drawn_usd
"""
_HELD = """
SELECT s.id, s.window_id, w.budget_id, s.drawn_steps, s.drawn_tokens, s.drawn_usd
FROM runs_escrow s JOIN runs_budgetwindow w ON w.id = s.window_id
WHERE s.run_id = %s AND s.settled_at IS NULL ORDER BY w.id DESC FOR UPDATE OF s
"""
_LOCK = "SELECT id FROM runs_budgetwindow WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_RETURN = """
UPDATE runs_budgetwindow SET committed_steps = committed_steps - %s, committed_tokens = committed_tokens - %s,
    committed_usd = committed_usd - %s WHERE id = %s
"""
_SETTLED = "UPDATE runs_escrow SET settled_at = %s WHERE run_id = %s AND settled_at IS NULL"

CHUNKS = 4  # a run draws a quarter of its own limits at a time


@dataclass(frozen=True, slots=True)
class Amount:
    """Steps, tokens and USD together."""

    steps: int
    tokens: int
    usd: Decimal


def limited_by(cursor: Cursor, team_id: UUID, identity_id: UUID) -> list[str]:
    """Return which of steps, tokens and usd a shared budget limits for runs of this agent."""
    cursor.execute(_SCOPE, (team_id, identity_id))
    rows = cursor.fetchall()
    return [
        name for number, name in enumerate(("steps", "tokens", "usd")) if any(row[number] for row in rows)
    ]


def draw(session: Session, shortfall: Shortfall) -> bool:
    """Draw a chunk of every shared budget, or at least what is missing; False when even that is not left."""
    least = _least(session, shortfall)
    for amount in (_chunk(session, least), least):
        session.note(e.BUDGET_DRAWN, {"steps": amount.steps, "tokens": amount.tokens, "usd": str(amount.usd)})
        try:
            session.commit([partial(commit_amount, session=session, wanted=amount)])
        except GuardRefused:
            session.rewind()
        else:
            return True
    return False


def _least(session: Session, shortfall: Shortfall) -> Amount:
    missing = Decimal(shortfall.needed) - Decimal(shortfall.left)
    return Amount(
        1 if shortfall.limit == "steps" else 0,
        int(missing) if shortfall.limit == "tokens" else 0,
        missing if shortfall.limit == "usd" else Decimal(0),
    )


def _chunk(session: Session, least: Amount) -> Amount:
    """A quarter of the run's limits, but never more than the run could still use."""
    limits, drawn = session.state.limits, session.state.drawn
    steps = min(max(1, limits.steps // CHUNKS), limits.steps - (drawn.steps or 0))
    tokens = min(limits.tokens // CHUNKS, limits.tokens - (drawn.tokens or 0))
    usd = min(limits.usd / CHUNKS, limits.usd - (drawn.usd or 0))
    return Amount(max(least.steps, steps), max(least.tokens, tokens), max(least.usd, usd))


def commit_amount(cursor: Cursor, session: Session, wanted: Amount) -> bool:
    """Commit an amount on all windows of the run's agent and team, or on none (the transaction is undone)."""
    context = session.context
    where = {"team": context.team_id, "identity": context.identity_id, "now": utc_now()}
    cursor.execute(_OPEN, where)
    cursor.execute(_WINDOWS, where)
    windows = [row[0] for row in cursor.fetchall()]
    values = {"run": context.run_id, "windows": windows, **_values(wanted)}
    cursor.execute(_COMMIT, values)
    if len(cursor.fetchall()) != len(windows):
        return False
    cursor.execute(_HOLD, values)
    return True


def _values(amount: Amount) -> dict[str, Any]:
    return {"steps": amount.steps, "tokens": amount.tokens, "usd": amount.usd}


def settle(cursor: Cursor, run_id: UUID, spent: Spent, now: datetime) -> bool:
    """Return to every budget what the run drew and did not use; the newest window gets it back first."""
    cursor.execute(_HELD, (run_id,))
    held = cursor.fetchall()
    cursor.execute(_LOCK, ([row[1] for row in held],))
    unused: dict[UUID, list[Any]] = {}
    for _, _, budget, *drawn in held:
        total = unused.setdefault(budget, [-spent.steps, -spent.tokens, -spent.usd])
        unused[budget] = [had + more for had, more in zip(total, drawn, strict=True)]
    for _, window, budget, *drawn in held:
        back = [max(0, min(left, had)) for left, had in zip(unused[budget], drawn, strict=True)]
        unused[budget] = [left - gone for left, gone in zip(unused[budget], back, strict=True)]
        cursor.execute(_RETURN, (*back, window))
    cursor.execute(_SETTLED, (now, run_id))
    return True
