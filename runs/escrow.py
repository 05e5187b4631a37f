"""Shared budgets: a run draws what its next calls may cost, and returns what it did not use when it ends.

A hot row per agent or team would cost every call a lock; so a run holds an escrow, and only its draws
touch the shared rows, locked in the order of their ids. A draw settles what was held before: what a run
uses is charged to the windows in which it was reserved. While a run waits for people it holds nothing. What
a killed run holds is not lost: the run is driven to its end by somebody else, and that returns it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from agentops.amounts import plain_decimal
from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.budgets import Amount, Reservation, Shortfall, count_drawn, count_unused, plan_draw
from agentops.engine.state import ZERO
from agentops.ledger.store import Cursor
from runs.session import Session, utc_now

_SCOPE = """
SELECT max_steps IS NOT NULL, max_tokens IS NOT NULL, max_usd IS NOT NULL FROM runs_budget
WHERE team_id = %s AND (identity_id IS NULL OR identity_id = %s)
"""
_OPEN = """
INSERT INTO runs_budgetwindow (budget_id, starts_at, committed_steps, committed_tokens, committed_usd)
SELECT id, date_trunc("window", %(now)s::timestamptz, 'UTC'), 0, 0, 0 FROM runs_budget
WHERE team_id = %(team)s AND (identity_id IS NULL OR identity_id = %(identity)s) ORDER BY id ON CONFLICT DO NOTHING
"""
# What a run holds is out of reach for all others: of tokens and USD a few calls' worst cases, which are many times
# what a call uses. A step is a step: of those as many as most runs take, for one draw.
CALLS_AHEAD, STEPS_AHEAD = 4, 12
NOTHING = Amount(0, 0, ZERO)


def limited_by(cursor: Cursor, team_id: UUID, identity_id: UUID) -> list[str]:
    """Return which of steps, tokens and usd a shared budget limits for runs of this agent."""
    cursor.execute(_SCOPE, (team_id, identity_id))
    rows = cursor.fetchall()
    return [
        name for number, name in enumerate(("steps", "tokens", "usd")) if any(row[number] for row in rows)
    ]


def bind(session: Session) -> None:
    """Note what limits the run now, so that its next model call draws on a budget that was set under way."""
    context = session.context
    with borrowed() as connection, connection.cursor() as cursor:
        shared = limited_by(cursor, context.team_id, context.identity_id)
    if not session.state.has_ended:
        session.note(e.BUDGET_BOUND, {"shared": shared})


def draw(session: Session, wanted: Reservation) -> None:
    """Note a draw for a few calls like the wanted one; the commit makes it, or raises BudgetShort."""
    state = session.state
    calls, steps = (1, 1) if session.draws_least else (CALLS_AHEAD, STEPS_AHEAD)
    hold = plan_draw(state, wanted, calls, steps)
    until = session.now.replace(minute=0, second=0, microsecond=0) + timedelta(
        hours=1
    )  # no window ends earlier
    facts = {**_facts_of(count_drawn(state, hold)), "until": until.isoformat()}
    session.note_draw(e.BUDGET_DRAWN, facts, hold)


def open_windows(session: Session) -> None:
    """Open the present windows of all budgets that bind the run."""
    context = session.context
    with borrowed() as connection, connection.cursor() as cursor:
        open_windows_for(cursor, context.team_id, context.identity_id, utc_now())


def open_windows_for(cursor: Cursor, team_id: UUID, identity_id: UUID, now: datetime) -> None:
    """Open the windows of a moment of all budgets that bind runs of an agent."""
    cursor.execute(_OPEN, {"team": team_id, "identity": identity_id, "now": now})


def fall_short(session: Session, missing: Sequence[Shortfall]) -> None:
    """Try with the next call alone; when even for that there is too little, note what is missing."""
    if session.draws_least:
        note_exhausted(session, missing[0])
    session.draws_least = not session.draws_least


def note_exhausted(session: Session, shortfall: Shortfall) -> None:
    """Note that a budget cannot bear the next call; the engine ends the run."""
    amounts = {name: plain_decimal(Decimal(getattr(shortfall, name))) for name in ("left", "needed")}
    known = {name: value for name, value in asdict(shortfall).items() if value}
    session.note(e.BUDGET_EXHAUSTED, {**known, **amounts})


def give_back(session: Session) -> None:
    """Commit, and return what the run holds and has not used: nobody knows how long people take."""
    unused = count_unused(session.state)
    if unused != NOTHING:
        session.note_draw(e.BUDGET_RETURNED, _facts_of(unused), None)
    session.commit()


def _facts_of(amount: Amount) -> dict[str, Any]:
    return {"steps": amount.steps, "tokens": amount.tokens, "usd": str(amount.usd)}
