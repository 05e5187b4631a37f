"""What the budgets' rows say, held against each other and against what the runs really used.

Every check is one query over one snapshot, so that it may look while others write.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

import psycopg

UNITS = ("steps", "tokens", "usd")

# Two levels: what is committed of a ceiling shared by an agent's or a team's runs.
_COMMITTED = """
SELECT b.id, b.identity_id IS NULL, u.unit, u.committed, u.ceiling
FROM runs_budgetwindow w JOIN runs_budget b ON b.id = w.budget_id,
    LATERAL (VALUES ('steps', w.committed_steps, b.max_steps), ('tokens', w.committed_tokens, b.max_tokens),
        ('usd', w.committed_usd, b.max_usd)) AS u(unit, committed, ceiling)
WHERE u.ceiling IS NOT NULL
"""
# The third: the run's own.
_BEYOND = """
SELECT id, steps, max_steps, tokens, max_tokens, usd, max_usd FROM runs_run
WHERE steps > max_steps OR tokens > max_tokens OR usd > max_usd
"""
# What is committed of a window is what its runs have drawn and not returned: nothing else, and nothing less.
_UNBALANCED = """
SELECT w.id, w.committed_steps, w.committed_tokens, w.committed_usd,
    coalesce(sum(s.drawn_steps), 0), coalesce(sum(s.drawn_tokens), 0), coalesce(sum(s.drawn_usd), 0)
FROM runs_budgetwindow w LEFT JOIN runs_escrow s ON s.window_id = w.id GROUP BY w.id
HAVING (w.committed_steps, w.committed_tokens, w.committed_usd) IS DISTINCT FROM
    (coalesce(sum(s.drawn_steps), 0), coalesce(sum(s.drawn_tokens), 0), coalesce(sum(s.drawn_usd), 0))
"""
# A run draws alike on all that it is bound by.
_PARTLY = """
WITH held AS (
    SELECT s.run_id, w.budget_id, sum(s.drawn_steps) AS steps, sum(s.drawn_tokens) AS tokens, sum(s.drawn_usd) AS usd
    FROM runs_escrow s JOIN runs_budgetwindow w ON w.id = s.window_id GROUP BY s.run_id, w.budget_id
), bound AS (
    SELECT r.id AS run_id, b.id AS budget_id FROM runs_run r
    JOIN runs_budget b ON b.team_id = r.team_id AND (b.identity_id IS NULL OR b.identity_id = r.identity_id)
)
SELECT run_id FROM bound LEFT JOIN held USING (run_id, budget_id) GROUP BY run_id
HAVING count(DISTINCT (coalesce(steps, 0), coalesce(tokens, 0), coalesce(usd, 0))) > 1
"""
_UNSETTLED = """
SELECT r.id FROM runs_run r JOIN runs_escrow s ON s.run_id = r.id
WHERE r.ended_at IS NOT NULL AND s.settled_at IS NULL
"""
# What a run of the past has drawn of each of its budgets is what it has used, to the last digit.
_MISCHARGED = """
SELECT r.id, w.budget_id, sum(s.drawn_steps), r.steps, sum(s.drawn_tokens), r.tokens, sum(s.drawn_usd), r.usd
FROM runs_run r JOIN runs_escrow s ON s.run_id = r.id JOIN runs_budgetwindow w ON w.id = s.window_id
WHERE r.ended_at IS NOT NULL GROUP BY r.id, w.budget_id
HAVING (sum(s.drawn_steps), sum(s.drawn_tokens), sum(s.drawn_usd)) IS DISTINCT FROM (r.steps, r.tokens, r.usd)
"""
# The run's row is a projection: the ledger has to say the same.
_MISPROJECTED = """
SELECT r.id, r.tokens, e.tokens, r.usd, e.usd, r.steps, e.steps
FROM runs_run r CROSS JOIN LATERAL (
    SELECT coalesce(sum((facts ->> 'tokens')::bigint) FILTER (WHERE kind IN ('step.decided', 'model.failed')), 0)
            AS tokens,
        coalesce(sum((facts ->> 'usd')::numeric) FILTER (WHERE kind IN ('step.decided', 'model.failed')), 0) AS usd,
        coalesce(max((facts ->> 'step')::int) FILTER (WHERE kind = 'model.requested'), 0) AS steps
    FROM ledger_entry WHERE stream = r.id
) e WHERE (r.tokens, r.usd, r.steps) IS DISTINCT FROM (e.tokens, e.usd, e.steps)
"""


@dataclass(frozen=True, slots=True)
class Fullness:
    """The fullest that a ceiling was seen, as committed by ceiling, per level."""

    agent: Decimal = Decimal(0)
    team: Decimal = Decimal(0)

    def merged(self, other: Fullness) -> Fullness:
        return Fullness(max(self.agent, other.agent), max(self.team, other.team))


def read_fullness(connection: psycopg.Connection[Any]) -> Fullness:
    """Return how full the fullest shared ceilings are now."""
    ratios = {True: Decimal(0), False: Decimal(0)}
    for _, is_team, _, committed, ceiling in connection.execute(_COMMITTED).fetchall():
        ratios[is_team] = max(ratios[is_team], Decimal(committed) / Decimal(ceiling))
    return Fullness(agent=ratios[False], team=ratios[True])


def find_faults(connection: psycopg.Connection[Any]) -> list[str]:
    """Return what must not be so at any moment, whoever is in the middle of what."""
    beyond = [
        f"budget {budget}: {committed} of {ceiling} {unit}"
        for budget, _, unit, committed, ceiling in connection.execute(_COMMITTED).fetchall()
        if committed > ceiling
    ]
    return [
        *beyond,
        *_say(connection, "run beyond its limits", _BEYOND),
        *_say(connection, "window unlike its escrows", _UNBALANCED),
        *_say(connection, "run has drawn on some budgets only", _PARTLY),
    ]


def find_leaks(connection: psycopg.Connection[Any]) -> list[str]:
    """Return what must not be so either once runs have ended."""
    return [
        *find_faults(connection),
        *_say(connection, "ended run still holds", _UNSETTLED),
        *_say(connection, "budget charged otherwise than used", _MISCHARGED),
        *_say(connection, "run unlike its ledger", _MISPROJECTED),
    ]


def _say(connection: psycopg.Connection[Any], words: str, query: LiteralString) -> list[str]:
    return [f"{words}: {', '.join(map(str, row))}" for row in connection.execute(query).fetchall()]
