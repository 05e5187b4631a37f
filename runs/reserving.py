"""Reserving an amount of shared budgets for a run that waits: on every window that it is bound by, or on none."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from agentops.engine.budgets import Amount
from agentops.engine.state import ZERO, RunState
from agentops.errors import StateConflict
from agentops.ledger.store import Cursor
from runs import draws, escrow
from runs.models import Run

# Of all windows of now: what each has left of what it limits.
_LEFT = """
SELECT bw.id, CASE WHEN b.identity_id IS NULL THEN 'team' ELSE 'agent' END, b."window",
    b.max_steps - bw.committed_steps, b.max_tokens - bw.committed_tokens, b.max_usd - bw.committed_usd
FROM runs_budget b JOIN runs_budgetwindow bw
    ON bw.budget_id = b.id AND bw.starts_at = date_trunc(b."window", %(now)s::timestamptz, 'UTC')
WHERE b.team_id = %(team)s AND (b.identity_id IS NULL OR b.identity_id = %(identity)s) ORDER BY bw.id
"""
_COMMIT = """
UPDATE runs_budgetwindow SET committed_steps = committed_steps + %(steps)s,
    committed_tokens = committed_tokens + %(tokens)s, committed_usd = committed_usd + %(usd)s
WHERE id = ANY(%(windows)s)
"""
_HOLD = """
INSERT INTO runs_escrow AS s (window_id, run_id, drawn_steps, drawn_tokens, drawn_usd, settled_at)
SELECT w, %(run)s, %(steps)s, %(tokens)s, %(usd)s, NULL FROM unnest(%(windows)s::bigint[]) AS w
ON CONFLICT (window_id, run_id) DO UPDATE SET drawn_steps = s.drawn_steps + excluded.drawn_steps,
    drawn_tokens = s.drawn_tokens + excluded.drawn_tokens, drawn_usd = s.drawn_usd + excluded.drawn_usd,
    settled_at = NULL
"""


def reserve(
    cursor: Cursor, run: Run, state: RunState, wanted: Amount, now: datetime
) -> tuple[Amount, datetime]:
    """Have a run, whose row is locked, hold an amount; return what of it shared budgets limit, and until when.

    Raises StateConflict where one of them has too little left: nothing was reserved.
    """
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)  # no window ends earlier
    held = state.drawn
    amount = Amount(
        0 if held.steps is None else wanted.steps,
        0 if held.tokens is None else wanted.tokens,
        ZERO if held.usd is None else wanted.usd,
    )
    if not held.units:
        return amount, until
    escrow.open_windows_for(cursor, run.team_id, run.identity_id, now)
    cursor.execute(draws.LOCK, {"runs": [run.pk], "times": [now]})
    cursor.execute(_LEFT, {"now": now, "team": run.team_id, "identity": run.identity_id})
    rows = cursor.fetchall()
    for row in rows:
        _check(row, amount)
    told: dict[str, Any] = {"steps": amount.steps, "tokens": amount.tokens, "usd": amount.usd}
    where = {"run": run.pk, "windows": [row[0] for row in rows]}
    cursor.execute(_COMMIT, {**told, **where})
    cursor.execute(_HOLD, {**told, **where})
    return amount, until


def _check(row: Any, amount: Amount) -> None:  # Any: of a cursor
    _, whose, window, *left = row
    for unit, room in zip(("steps", "tokens", "usd"), left, strict=True):
        needed = Decimal(getattr(amount, unit))
        if room is not None and needed and room < needed:
            raise StateConflict(
                "budget_short",
                f"the {whose}'s budget for {unit} this {window} has {room} left: grant less, or refuse",
            )
