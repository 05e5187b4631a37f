"""Shared budgets: a run draws what its next calls may cost, and returns what it did not use when it ends.

A hot row per agent or team would cost every call a lock; so a run holds an escrow, and only its draws
touch the shared rows, locked in the order of their ids. A draw settles what was held before: what a run
uses is charged to the windows in which it was reserved. While a run waits for people it holds nothing. What
a killed run holds is not lost: the run is driven to its end by somebody else, and that returns it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.budgets import Amount, Reservation, Shortfall, count_drawn, count_unused, plan_draw
from agentops.engine.state import ZERO, Spent
from agentops.ledger.store import Cursor
from runs.journal import RunContext
from runs.session import GuardRefused, Session

_SCOPE = """
SELECT max_steps IS NOT NULL, max_tokens IS NOT NULL, max_usd IS NOT NULL FROM runs_budget
WHERE team_id = %s AND (identity_id IS NULL OR identity_id = %s)
"""
_OPEN = """
INSERT INTO runs_budgetwindow (budget_id, starts_at, committed_steps, committed_tokens, committed_usd)
SELECT id, date_trunc("window", %(now)s::timestamptz, 'UTC'), 0, 0, 0 FROM runs_budget
WHERE team_id = %(team)s AND (identity_id IS NULL OR identity_id = %(identity)s) ORDER BY id ON CONFLICT DO NOTHING
"""
_CURRENT = """
SELECT w.id FROM runs_budget b JOIN runs_budgetwindow w
    ON w.budget_id = b.id AND w.starts_at = date_trunc(b."window", %(now)s::timestamptz, 'UTC')
WHERE b.team_id = %(team)s AND (b.identity_id IS NULL OR b.identity_id = %(identity)s)
"""
_HELD = """
SELECT s.window_id, w.budget_id, s.settled_at IS NULL, s.drawn_steps, s.drawn_tokens, s.drawn_usd
FROM runs_escrow s JOIN runs_budgetwindow w ON w.id = s.window_id WHERE s.run_id = %s
"""
_LOCK = "SELECT id FROM runs_budgetwindow WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
_CHANGES = """
unnest(%(windows)s::bigint[], %(steps)s::bigint[], %(tokens)s::bigint[], %(usd)s::numeric[])
    AS n(window_id, steps, tokens, usd)
"""
_CHANGE = f"""
UPDATE runs_budgetwindow w SET committed_steps = committed_steps + n.steps,
    committed_tokens = committed_tokens + n.tokens, committed_usd = committed_usd + n.usd
FROM {_CHANGES}, runs_budget b WHERE w.id = n.window_id AND b.id = w.budget_id
"""  # noqa: S608  constants only
_WITHIN = """
    AND (n.steps <= 0 OR b.max_steps IS NULL OR w.committed_steps + n.steps <= b.max_steps)
    AND (n.tokens <= 0 OR b.max_tokens IS NULL OR w.committed_tokens + n.tokens <= b.max_tokens)
    AND (n.usd <= 0 OR b.max_usd IS NULL OR w.committed_usd + n.usd <= b.max_usd)
RETURNING w.id
"""
_MISSING = f"""
SELECT 'shared_' || u.unit, u.room::text, u.needed::text, CASE WHEN b.identity_id IS NULL THEN 'team' ELSE 'agent' END,
    b."window" FROM {_CHANGES}
    JOIN runs_budgetwindow w ON w.id = n.window_id JOIN runs_budget b ON b.id = w.budget_id,
    LATERAL (VALUES ('steps', b.max_steps - w.committed_steps, n.steps),
        ('tokens', b.max_tokens - w.committed_tokens, n.tokens),
        ('usd', b.max_usd - w.committed_usd, n.usd)) AS u(unit, room, needed)
WHERE u.needed > 0 AND u.room < u.needed ORDER BY w.id
"""  # noqa: S608  constants only
_KEEP = f"""
INSERT INTO runs_escrow AS s (window_id, run_id, drawn_steps, drawn_tokens, drawn_usd, settled_at)
SELECT n.window_id, %(run)s, n.steps, n.tokens, n.usd,
    CASE WHEN n.window_id = ANY(%(current)s::bigint[]) THEN NULL ELSE %(now)s::timestamptz END
FROM {_CHANGES}
ON CONFLICT (window_id, run_id) DO UPDATE SET drawn_steps = s.drawn_steps + excluded.drawn_steps,
    drawn_tokens = s.drawn_tokens + excluded.drawn_tokens, drawn_usd = s.drawn_usd + excluded.drawn_usd,
    settled_at = excluded.settled_at
"""  # noqa: S608  constants only

# What a run holds is out of reach for all others: a few calls' worth.
CALLS_AHEAD = 4
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


def draw(session: Session, wanted: Reservation) -> Shortfall | None:
    """Draw for a few calls like the wanted one, or at least for this one; return what is missing even for that."""
    missing = _draw_for(session, wanted, CALLS_AHEAD)
    return missing and _draw_for(session, wanted, 1)


def _draw_for(session: Session, wanted: Reservation, calls: int) -> Shortfall | None:
    state, now = session.state, session.now
    hold = plan_draw(state, wanted, calls)
    drawn = count_drawn(state, hold)
    until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)  # no window ends earlier
    missing: list[Shortfall] = []

    def take(cursor: Cursor) -> bool:
        missing.extend(hold_amount(cursor, session.context, state.shared_spent, hold, now))
        return not missing

    facts = {"steps": drawn.steps, "tokens": drawn.tokens, "usd": str(drawn.usd), "until": until.isoformat()}
    session.note(e.BUDGET_DRAWN, facts)
    try:
        session.commit([take])
    except GuardRefused:
        if not missing:
            raise
        session.rewind()
        return missing[0]
    return None


def hold_amount(
    cursor: Cursor, context: RunContext, spent: Spent, hold: Amount, now: datetime
) -> list[Shortfall]:
    """Let a run hold an amount, beyond what it has spent, of all its budgets' windows, or of none.

    What it held before is settled. Return what is missing; the caller then has to undo the transaction.
    """
    where = {"team": context.team_id, "identity": context.identity_id, "now": now}
    cursor.execute(_OPEN, where)
    cursor.execute(_CURRENT, where)
    current = [row[0] for row in cursor.fetchall()]
    changes = _count_unused(cursor, context.run_id, spent)
    for window in current:
        changes[window] = changes.get(window, NOTHING) + hold
    values = _lock(cursor, changes)
    cursor.execute(_CHANGE + _WITHIN, values)
    if len(cursor.fetchall()) != len(values["windows"]):
        cursor.execute(_MISSING, values)
        return [Shortfall(*row) for row in cursor.fetchall()]
    _keep(cursor, context.run_id, values, current, now)
    return []


def settle(cursor: Cursor, run_id: UUID, spent: Spent, now: datetime) -> bool:
    """Return to every budget what the run drew and did not use; charge what it used beyond that.

    Beyond is what no budget limited, and what a provider took against its orders: it counts all the same.
    """
    values = _lock(cursor, _count_unused(cursor, run_id, spent))
    cursor.execute(_CHANGE, values)
    _keep(cursor, run_id, values, (), now)
    return True


def give_back(session: Session) -> None:
    """Commit, and return what the run holds and has not used: nobody knows how long people take."""
    unused = count_unused(session.state)
    if unused == NOTHING:
        session.commit()
        return
    run, spent, now = session.context.run_id, session.state.shared_spent, session.now
    facts = {"steps": unused.steps, "tokens": unused.tokens, "usd": str(unused.usd)}
    session.note(e.BUDGET_RETURNED, facts)
    session.commit([lambda cursor: settle(cursor, run, spent, now)])


def _count_unused(cursor: Cursor, run_id: UUID, spent: Spent) -> dict[int, Amount]:
    """Return by window that the run still holds what settling takes off it.

    Every budget was drawn on alike, but one that was set later has seen a part only, and gets no more back.
    """
    cursor.execute(_HELD, (run_id,))
    rows = cursor.fetchall()
    drawn: dict[UUID, Amount] = {}
    for _, budget, _, *amounts in rows:
        drawn[budget] = drawn.get(budget, NOTHING) + Amount(*amounts)
    used = Amount(spent.steps, spent.tokens, spent.usd)
    unused = Amount.most(drawn.values()) - used if drawn else NOTHING
    return {
        window: -Amount.least((unused, Amount(*amounts))) for window, _, is_held, *amounts in rows if is_held
    }


def _lock(cursor: Cursor, changes: Mapping[int, Amount]) -> dict[str, Any]:
    """Lock the windows in the order of their ids; return the changes as columns."""
    cursor.execute(_LOCK, (list(changes),))
    windows = [row[0] for row in cursor.fetchall()]  # a budget may have been deleted meanwhile
    amounts = [changes[window] for window in windows]
    return {
        "windows": windows,
        "steps": [amount.steps for amount in amounts],
        "tokens": [amount.tokens for amount in amounts],
        "usd": [amount.usd for amount in amounts],
    }


def _keep(
    cursor: Cursor, run_id: UUID, values: dict[str, Any], current: Collection[int], now: datetime
) -> None:
    """Write what the run has drawn of each window, less what it gave back; what is not current is settled."""
    cursor.execute(_KEEP, {**values, "run": run_id, "current": list(current), "now": now})
