"""What an undo costs the database: as much for each step, however much the run has done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.test import override_settings

from agentops.database import Prepared, close_pool
from runs.models import Run
from runs.undoing.services import foresee_undo
from tests.runs.company import Company, proposes, says
from tests.runs.undoing.test_undo import refund, shop, undo
from tools import catalogue
from tools.cache import BoundedCache

__all__ = ["shop"]  # a fixture


@dataclass
class Cost:
    """Statements, and the rows that they brought."""

    statements: int = 0
    rows: int = 0


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cost]:
    """Count what this process asks the database, past the ORM as well as through it."""
    cost, ask, read = Cost(), psycopg.Cursor.execute, psycopg.Cursor.fetchall
    ask_prepared = Prepared.rows

    def execute(cursor: Any, *args: Any, **kwargs: Any) -> Any:
        cost.statements += 1
        return ask(cursor, *args, **kwargs)

    def fetchall(cursor: Any) -> Any:
        rows = read(cursor)
        cost.rows += len(rows)
        return rows

    def prepared(statement: Prepared, *args: Any) -> Any:
        cost.statements += 1
        return ask_prepared(statement, *args)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute)
        patch.setattr(psycopg.Cursor, "fetchall", fetchall)
        patch.setattr(Prepared, "rows", prepared)
        yield cost


def changed(shop: Company, effects: int) -> Run:
    """Return a run that has had that many effects."""
    orders = [refund(f"A-{number}") for number in range(effects)]
    run = shop.run(*(proposes(*orders[at : at + 10]) for at in range(0, effects, 10)), says("Done."))
    assert run.state == "completed", (run.status_reason, run.status_detail)
    return run


# Of ten effects and of a hundred: how many statements it takes to look at them, and to undo each.
FEW, MANY = 10, 100
# Seen: nine of every step, whatever it does, and twenty around all of them.
OF_A_STEP, AROUND = 10, 30


def test_looking_at_effects_and_starting_costs_the_same_however_many_there_are(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs: dict[str, list[int]] = {"foresee": [], "start": []}
    shop.publish(max_steps=50)
    changed(shop, 1)  # whatever is read once per process
    for effects in (FEW, MANY):
        run = changed(shop, effects)
        with counted(monkeypatch) as looking:
            foresee_undo(actor=shop.cast.ada, run=run)
        with counted(monkeypatch) as starting:
            undo(shop, run)
        costs["foresee"].append(looking.statements)
        costs["start"].append(starting.statements)
    assert costs["foresee"][0] == costs["foresee"][1]
    assert costs["start"][0] == costs["start"][1]


def test_a_step_costs_the_same_however_many_effects_there_are(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(max_steps=50)
    made = undo(shop, changed(shop, MANY))
    with counted(monkeypatch) as driving:
        shop.drive(made)
    assert len(shop.calls(made)) == MANY
    assert driving.statements <= MANY * OF_A_STEP + AROUND, driving
    # Each effect is read once for its step, with what is known of it, and once for the last words.
    assert driving.rows <= MANY * OF_A_STEP + AROUND, driving


def test_no_tool_is_read_while_a_connection_is_lent(shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many drivers as connections each would wait for a second one, and none would ever get it."""
    run = changed(shop, FEW)
    monkeypatch.setattr(catalogue, "_specs", BoundedCache(2_000))
    close_pool()
    with override_settings(JOURNAL_POOL_SIZE=1):
        foresee_undo(actor=shop.cast.ada, run=run)
        made = undo(shop, run)
        monkeypatch.setattr(catalogue, "_specs", BoundedCache(2_000))
        assert shop.drive(made).state == "completed"
    close_pool()
