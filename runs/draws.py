"""What a run draws on shared budgets or returns to them, as a part of the append: with it or not at all.

What is held is settled first: what the run used of it stays charged to the windows in which it was held, the rest
goes back. Then the run holds a new amount in the present windows of all its budgets, or is told what is missing.
Windows that somebody else has locked are not waited for here: who has to wait does so before, in the order of
their ids, so that no two wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from agentops.database import Prepared
from agentops.engine.budgets import Amount, Shortfall
from agentops.engine.state import Spent
from agentops.identifiers import text_of
from agentops.ledger.store import Cursor


@dataclass(frozen=True, slots=True)
class Draw:
    """What a run has spent of shared budgets so far, and what it is to hold beyond that; None settles for good."""

    spent: Spent
    hold: Amount | None
    at: datetime


def columns_of(draw: Draw | None) -> dict[str, Any]:
    """Return a draw as the columns of ``COLUMNS``; of an append without one they stay away."""
    if draw is None:
        return {}
    spent, hold = draw.spent, draw.hold
    columns: dict[str, Any] = {
        "drawn_at": draw.at,
        "spent_steps": spent.steps,
        "spent_tokens": spent.tokens,
        "spent_usd": spent.usd,
    }
    if hold is not None:
        columns |= {"hold_steps": hold.steps, "hold_tokens": hold.tokens, "hold_usd": hold.usd}
    return columns


def read_missing(told: str | None) -> list[Shortfall]:
    """Return what the statement says is missing."""
    return [Shortfall(**row) for row in orjson.loads(told)] if told else []


COLUMNS = """drawn_at timestamptz, spent_steps bigint, spent_tokens bigint, spent_usd numeric, hold_steps bigint,
    hold_tokens bigint, hold_usd numeric"""
# The columns of ``fence``, which names the runs: its own id, its team's and its agent's, and those above. Every
# budget was drawn on alike, but one that was set later has seen a part only, and gets no more back.
CHANGES = """
held AS MATERIALIZED (
    SELECT fence.id AS run, s.window_id, bw.budget_id, s.settled_at IS NULL AS is_held, s.drawn_steps, s.drawn_tokens,
        s.drawn_usd
    FROM fence JOIN runs_escrow s ON s.run_id = fence.id JOIN runs_budgetwindow bw ON bw.id = s.window_id
    WHERE fence.drawn_at IS NOT NULL
), drawn AS (
    SELECT run, max(steps) AS steps, max(tokens) AS tokens, max(usd) AS usd FROM (
        SELECT run, sum(drawn_steps) AS steps, sum(drawn_tokens) AS tokens, sum(drawn_usd) AS usd
        FROM held GROUP BY run, budget_id) AS by_budget
    GROUP BY run
), present AS MATERIALIZED (
    SELECT fence.id AS run, bw.id AS window_id, hold_steps, hold_tokens, hold_usd
    FROM fence JOIN runs_budget b
        ON b.team_id = fence.team_id AND (b.identity_id IS NULL OR b.identity_id = fence.identity_id)
    LEFT JOIN runs_budgetwindow bw
        ON bw.budget_id = b.id AND bw.starts_at = date_trunc(b."window", fence.drawn_at, 'UTC')
    WHERE fence.hold_steps IS NOT NULL
), changes AS MATERIALIZED (
    SELECT run, window_id, bool_or(is_present) AS is_present, sum(steps)::bigint AS steps,
        sum(tokens)::bigint AS tokens, sum(usd) AS usd
    FROM (
        SELECT held.run, window_id, false AS is_present, -least(drawn.steps - spent_steps, drawn_steps) AS steps,
            -least(drawn.tokens - spent_tokens, drawn_tokens) AS tokens, -least(drawn.usd - spent_usd, drawn_usd) AS usd
        FROM held JOIN drawn USING (run) JOIN fence ON fence.id = held.run WHERE is_held
        UNION ALL SELECT run, window_id, true, hold_steps, hold_tokens, hold_usd FROM present) AS each
    GROUP BY run, window_id
), locked AS MATERIALIZED (
    SELECT bw.id, b.identity_id, b."window", b.max_steps - bw.committed_steps AS steps,
        b.max_tokens - bw.committed_tokens AS tokens, b.max_usd - bw.committed_usd AS usd
    FROM runs_budgetwindow bw JOIN runs_budget b ON b.id = bw.budget_id
    WHERE bw.id IN (SELECT window_id FROM changes) ORDER BY bw.id FOR NO KEY UPDATE OF bw SKIP LOCKED
), busy AS MATERIALIZED (
    SELECT DISTINCT run FROM changes WHERE window_id NOT IN (SELECT id FROM locked)
), missing AS MATERIALIZED (
    SELECT 'shared_' || u.unit AS "limit", u.room::text AS "left", u.needed::text AS needed,
        CASE WHEN identity_id IS NULL THEN 'team' ELSE 'agent' END AS whose, "window"
    FROM locked JOIN (SELECT window_id, sum(greatest(steps, 0)) AS steps, sum(greatest(tokens, 0)) AS tokens,
            sum(greatest(usd, 0)) AS usd FROM changes GROUP BY window_id) AS n ON n.window_id = locked.id,
        LATERAL (VALUES ('steps', locked.steps, n.steps), ('tokens', locked.tokens, n.tokens),
            ('usd', locked.usd, n.usd)) AS u(unit, room, needed)
    WHERE u.needed > 0 AND u.room < u.needed ORDER BY locked.id
), """
# What a run has used is charged whatever the ceiling; what it would hold is not. In a statement of several runs
# one shortage refuses them all: what one of them would have returned may not be there for the next.
IS_WITHIN = """
        AND (fence.hold_steps IS NULL OR NOT EXISTS (SELECT FROM missing))
        AND NOT EXISTS (SELECT FROM present WHERE present.run = fence.id AND window_id IS NULL)
        AND NOT EXISTS (SELECT FROM busy WHERE busy.run = fence.id)"""
WRITES = """, charged AS (
    UPDATE runs_budgetwindow bw SET committed_steps = committed_steps + n.steps,
        committed_tokens = committed_tokens + n.tokens, committed_usd = committed_usd + n.usd
    FROM (SELECT window_id, sum(steps) AS steps, sum(tokens) AS tokens, sum(usd) AS usd
        FROM changes JOIN moved ON moved.id = changes.run GROUP BY window_id) AS n
    WHERE bw.id = n.window_id
), kept AS (
    INSERT INTO runs_escrow AS s (window_id, run_id, drawn_steps, drawn_tokens, drawn_usd, settled_at)
    SELECT window_id, run, changes.steps, changes.tokens, changes.usd, CASE WHEN NOT is_present THEN drawn_at END
    FROM changes JOIN moved ON moved.id = changes.run JOIN locked ON locked.id = window_id
        JOIN fence ON fence.id = changes.run
    ON CONFLICT (window_id, run_id) DO UPDATE SET drawn_steps = s.drawn_steps + excluded.drawn_steps,
        drawn_tokens = s.drawn_tokens + excluded.drawn_tokens, drawn_usd = s.drawn_usd + excluded.drawn_usd,
        settled_at = excluded.settled_at
)"""
SAYS = """
    WHEN EXISTS (SELECT FROM present WHERE present.run = fence.id AND window_id IS NULL) THEN 'window_missing'
    WHEN EXISTS (SELECT FROM busy WHERE busy.run = fence.id) THEN 'window_locked'
    WHEN hold_steps IS NOT NULL AND EXISTS (SELECT FROM missing) THEN 'budget_short'"""
TELLS = "(SELECT json_agg(missing)::text FROM missing)"
# Waits for all windows that draws of these runs at these times may change.
_WINDOWS = """
SELECT FROM runs_budgetwindow WHERE {brief}id IN (
    SELECT window_id FROM runs_escrow WHERE run_id = ANY({runs}::uuid[]) AND settled_at IS NULL
    UNION ALL SELECT bw.id FROM unnest({runs}::uuid[], {times}::timestamptz[]) AS w(run, at)
    JOIN runs_run r ON r.id = w.run
    JOIN runs_budget b ON b.team_id = r.team_id AND (b.identity_id IS NULL OR b.identity_id = r.identity_id)
    JOIN runs_budgetwindow bw ON bw.budget_id = b.id AND bw.starts_at = date_trunc(b."window", w.at, 'UTC'))
ORDER BY id FOR NO KEY UPDATE
"""
LOCK = _WINDOWS.format(brief="", runs="%(runs)s", times="%(times)s")
# A group waits this long for its windows: what takes longer is no other group's commit. The setting ends with the
# transaction, and is made before the first row is locked.
_BRIEFLY = "(SELECT set_config('lock_timeout', '100ms', true)) IS NOT NULL AND "
LOCK_BRIEFLY = Prepared(_WINDOWS.format(brief=_BRIEFLY, runs="$1", times="$2"))


def lock_windows(cursor: Cursor, draws: Mapping[UUID, Draw]) -> None:
    """Wait, in the caller's transaction, for the windows of what runs draw."""
    cursor.execute(LOCK, {"runs": list(draws), "times": [draw.at for draw in draws.values()]})


def name_windows(draws: Mapping[UUID, Draw]) -> list[str | None]:
    """Return the parameters of ``LOCK_BRIEFLY``."""
    times = ",".join([f'"{draw.at.isoformat()}"' for draw in draws.values()])
    return ["{" + ",".join(map(text_of, draws)) + "}", "{" + times + "}"]
