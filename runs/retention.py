"""Rows that nobody needs any more, taken away at night. The ledger and what projects it are never trimmed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from tools.caps import PERIODS, window_of

# After a run's end people may still settle what it left open; until then, and for a week more, its rows stay.
RUN_KEPT = timedelta(days=7)
# Longer than the longest window, a month, may be charged and looked at.
WINDOW_KEPT = timedelta(days=100)
# For a client that lost an answer: whoever keeps a conversation open asks for the rest within the day.
PART_KEPT = timedelta(days=1)
MOVES_KEPT = timedelta(days=90)  # pages look back on a month of breakers' moves
# Of every agent and tool: what the page of the grant lists, however long ago it was.
WINDOWS_LEFT = 10
BATCH = 1_000
MOST_BATCHES = 500  # of each kind in a night; the next one goes on

_FINISHED = """r.ended_at < %(run)s AND NOT r.required_actions @> '[{"type": "outcome"}]'"""
_SNAPSHOTS = f"""
DELETE FROM runs_runsnapshot WHERE run_id IN (
    SELECT s.run_id FROM runs_runsnapshot s JOIN runs_run r ON r.id = s.run_id WHERE {_FINISHED}
    LIMIT %(batch)s FOR UPDATE OF s SKIP LOCKED)
"""  # noqa: S608  constants only
_CAPS_OF_RUNS = f"""
DELETE FROM tools_capusage WHERE id IN (
    SELECT u.id FROM tools_capusage u
    JOIN runs_run r ON r.id = CASE WHEN starts_with(u."window", 'run:') THEN substr(u."window", 5)::uuid END
    WHERE {_FINISHED} LIMIT %(batch)s FOR UPDATE OF u SKIP LOCKED)
"""  # noqa: S608  constants only
# The names of windows of one kind are in the order of time when compared byte by byte.
_CAPS_OF_WINDOWS = """
DELETE FROM tools_capusage WHERE id IN (
    SELECT u.id FROM tools_capusage u JOIN unnest(%(oldest)s::text[]) AS o(name)
        ON split_part(o.name, ':', 1) = split_part(u."window", ':', 1) AND u."window" COLLATE "C" < o.name COLLATE "C"
    WHERE EXISTS (SELECT FROM tools_capusage n WHERE n.identity_id = u.identity_id AND n.tool_id = u.tool_id
        AND NOT starts_with(n."window", 'run:') AND n.id > u.id OFFSET %(left)s - 1)
    LIMIT %(batch)s FOR UPDATE OF u SKIP LOCKED)
"""
_ESCROWS = f"""
DELETE FROM runs_escrow WHERE id IN (
    SELECT s.id FROM runs_budgetwindow w JOIN runs_escrow s ON s.window_id = w.id JOIN runs_run r ON r.id = s.run_id
    WHERE w.starts_at < %(window)s AND s.settled_at IS NOT NULL AND {_FINISHED}
    LIMIT %(batch)s FOR UPDATE OF s SKIP LOCKED)
"""  # noqa: S608  constants only
_BREAKER_MOVES = """
DELETE FROM tools_breakertransition WHERE id IN (
    SELECT id FROM tools_breakertransition WHERE at < %(moves)s LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
_BUDGET_WINDOWS = """
DELETE FROM runs_budgetwindow WHERE id IN (
    SELECT w.id FROM runs_budgetwindow w WHERE w.starts_at < %(window)s
        AND NOT EXISTS (SELECT FROM runs_escrow s WHERE s.window_id = w.id)
    LIMIT %(batch)s FOR UPDATE OF w SKIP LOCKED)
"""
_PARTS = """
DELETE FROM runs_kept_part WHERE (run_id, digest) IN (
    SELECT p.run_id, p.digest FROM runs_kept_part p WHERE p.kept_at < %(part)s
    LIMIT %(batch)s FOR UPDATE OF p SKIP LOCKED)
"""
# Its words are gone when nobody reads it any more; that it was there stays, for those who had read it.
_MEMORIES = """
UPDATE runs_memory SET text = '', passages = '[]', state = 'deleted' WHERE id IN (
    SELECT id FROM runs_memory WHERE expires_at < %(now)s AND state <> 'deleted'
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""


def trim(now: datetime) -> int:
    """Delete what no run, decision or page looks at any more; return how many rows. Safe to repeat.

    Of notes that have expired only the words go.
    """
    past = now - WINDOW_KEPT
    values = {
        "run": now - RUN_KEPT,
        "window": past,
        "part": now - PART_KEPT,
        "moves": now - MOVES_KEPT,
        "oldest": [window_of(per, UUID(int=0), past) for per in PERIODS if per not in ("call", "run")],
        "left": WINDOWS_LEFT,
        "now": now,
        "batch": BATCH,
    }
    statements = (
        _SNAPSHOTS, _CAPS_OF_RUNS, _CAPS_OF_WINDOWS, _ESCROWS, _BUDGET_WINDOWS, _PARTS, _BREAKER_MOVES, _MEMORIES,
    )  # fmt: skip
    return sum(_trim_in_batches(statement, values) for statement in statements)


def _trim_in_batches(statement: str, values: dict[str, Any]) -> int:  # Any: what psycopg takes
    """Each batch is a transaction of its own, so that nobody waits for long."""
    trimmed = 0
    with connection.cursor() as cursor:
        for _ in range(MOST_BATCHES):
            cursor.execute(statement, values)
            trimmed += cursor.rowcount
            if cursor.rowcount < BATCH:
                break
    return trimmed
