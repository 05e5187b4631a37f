"""Draws without a ledger: the part of the append that moves shared budgets, in a transaction that stays open."""

from __future__ import annotations

from typing import Any

import orjson
import psycopg

from agentops.engine.budgets import Shortfall
from runs import draws, escrow
from runs.draws import Draw
from runs.models import Run

# The statement is made when it is needed: mutants change its parts.
_FENCE = """
WITH fence AS (
    SELECT r.id, r.team_id, r.identity_id, n.* FROM runs_run r, jsonb_to_record(%(draw)s::jsonb) AS n({columns})
    WHERE r.id = %(run)s
), {changes}moved AS (SELECT fence.id FROM fence WHERE true{is_within}){writes}
SELECT CASE WHEN false THEN ''{says} ELSE 'appended' END, {tells} FROM fence
"""


def hold(cursor: psycopg.Cursor[Any], run: Run, draw: Draw) -> list[Shortfall]:
    """Hold an amount, in windows that are opened first; return what is missing."""
    where = {"team": run.team_id, "identity": run.identity_id, "now": draw.at}
    cursor.execute(escrow._OPEN, where)
    return move(cursor, run, draw)


def move(cursor: psycopg.Cursor[Any], run: Run, draw: Draw) -> list[Shortfall]:
    """Wait for the windows, settle what is held, and hold what the draw says; return what is missing."""
    draws.lock_windows(cursor, {run.pk: draw})
    word, told = try_to_move(cursor, run, draw)
    missing = draws.read_missing(told)
    assert word == ("budget_short" if missing and draw.hold is not None else "appended")
    return missing if word == "budget_short" else []


def try_to_move(cursor: psycopg.Cursor[Any], run: Run, draw: Draw) -> tuple[str, str | None]:
    """Move without waiting; return what the statement says."""
    statement = _FENCE.format(
        columns=draws.COLUMNS, changes=draws.CHANGES, is_within=draws.IS_WITHIN, writes=draws.WRITES,
        says=draws.SAYS, tells=draws.TELLS,
    )  # fmt: skip
    text = orjson.dumps(draws.columns_of(draw), default=str).decode()
    cursor.execute(statement, {"draw": text, "run": run.pk})
    row = cursor.fetchone()
    assert row is not None
    return row[0], row[1]
