"""What the database says in the end: how each call stands in the ledger, and what is still reserved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

_CALLS = """
SELECT stream, kind, (facts ->> 'step')::int, (facts ->> 'call')::int, facts ->> 'key'
FROM ledger_entry
WHERE stream = ANY(%s) AND kind IN ('attempt.started', 'call.succeeded', 'call.failed', 'call.parked')
ORDER BY stream, seq
"""
_STATES = {
    "attempt.started": "started",
    "call.succeeded": "succeeded",
    "call.failed": "failed",
    "call.parked": "parked",
}
# What a budget says is committed, and what its runs have spent, once they have all ended.
_BUDGETS = """
SELECT b.id, sum(w.committed_steps), sum(w.committed_tokens), sum(w.committed_usd),
    r.steps, r.tokens, r.usd
FROM runs_budget b JOIN runs_budgetwindow w ON w.budget_id = b.id
CROSS JOIN LATERAL (
    SELECT sum(steps) AS steps, sum(tokens) AS tokens, sum(usd) AS usd FROM runs_run
    WHERE team_id = b.team_id AND (b.identity_id IS NULL OR identity_id = b.identity_id)
) r GROUP BY b.id, r.steps, r.tokens, r.usd
"""
_HELD = "SELECT count(*) FROM runs_escrow WHERE settled_at IS NULL"
_CAPS = """
SELECT "window", used_count FROM tools_capusage u JOIN tools_tool t ON t.id = u.tool_id WHERE t.name = 'post'
"""
SHOWN = 20


def read_calls(connection: psycopg.Connection, runs: Sequence[UUID]) -> dict[str, str]:
    """Return by idempotency key how each call with an attempt stands in the ledger."""
    keys: dict[tuple[Any, ...], str] = {}
    calls: dict[str, str] = {}
    for stream, kind, step, call, key in connection.execute(_CALLS, (list(runs),)).fetchall():
        if kind == "attempt.started":
            keys[stream, step, call] = key
        calls[keys.get((stream, step, call)) or f"{stream}:{step}:?:{call}"] = _STATES[kind]
    return calls


def find_leaks(connection: psycopg.Connection, calls: Mapping[str, str]) -> list[str]:
    """Return words for everything that shared budgets and caps hold and that no run has used."""
    held = connection.execute(_HELD).fetchone()
    leaks = [f"{held[0]} draws of ended runs were never settled"] if held and held[0] else []
    for budget, *amounts in connection.execute(_BUDGETS).fetchall():
        committed, used = map(_decimals, (amounts[:3], amounts[3:]))
        if committed != used:
            leaks.append(f"budget {budget}: committed {committed}, used {used} (steps, tokens, USD)")
    return leaks + _find_cap_leaks(connection, calls)


def _decimals(values: Sequence[Any]) -> list[str]:
    return [format(Decimal(value or 0).normalize(), "f") for value in values]


def _find_cap_leaks(connection: psycopg.Connection, calls: Mapping[str, str]) -> list[str]:
    """A call that surely had no effect has given its share back; every other one keeps it."""
    used: Counter[str] = Counter()
    for window, count in connection.execute(_CAPS).fetchall():
        used["run" if window.startswith("run:") else "day"] += count
    kept = sum(key.split(":")[2] == "post" and state != "failed" for key, state in calls.items())
    wrong = [per for per in ("run", "day") if used[per] != kept]
    return [f"caps per {per}: {used[per]} are reserved, {kept} calls keep one" for per in wrong]
