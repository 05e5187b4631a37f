"""Runs that draw in one statement: what is too little for all of them may be enough for one."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from agentops.engine import events as e
from agentops.engine.budgets import Amount
from agentops.engine.state import ZERO
from runs import escrow
from runs.interruptions import BudgetShort, WindowMissing
from runs.models import Budget
from runs.session import Session
from tests.budget.books import find_leaks
from tests.factories import BudgetFactory
from tests.runs.company import Company
from tests.runs.test_group_commit import Table, lease

pytestmark = pytest.mark.budget


def draw(session: Session, steps: int) -> None:
    until = (session.now + timedelta(hours=1)).isoformat()
    facts = {"steps": steps, "tokens": 0, "usd": "0", "until": until}
    session.note_draw(e.BUDGET_DRAWN, facts, Amount(steps, 0, ZERO))


@pytest.fixture
def budget(company: Company) -> Budget:
    made: Budget = BudgetFactory.create(team=company.cast.team, max_usd=None, max_steps=5)
    return made


@pytest.fixture
def sessions(company: Company, budget: Budget) -> list[Session]:
    """Provide three runs that want two steps each of five."""
    company.publish()
    sessions = [lease(company.start()) for _ in range(3)]
    escrow.open_windows(sessions[0])
    for session in sessions:
        draw(session, 2)
    return sessions


def test_each_tries_alone_where_there_is_too_little_for_all(
    sessions: list[Session],
    budget: Budget,
    books: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = Table(monkeypatch, guests=3)
    results = table.commit_all(sessions)
    assert table.sizes == [1, 2, 1, 1]
    (short,) = [result for result in results if result is not None]
    assert isinstance(short, BudgetShort)
    assert [(m.limit, m.left, m.needed, m.whose) for m in short.missing] == [
        ("shared_steps", "1", "2", "team")
    ]
    assert budget.windows.get().committed_steps == 4
    assert find_leaks(books) == []


def test_all_draw_at_once_where_there_is_enough(
    sessions: list[Session], budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    Budget.objects.filter(pk=budget.pk).update(max_steps=6)
    table = Table(monkeypatch, guests=3)
    assert table.commit_all(sessions) == [None] * 3
    assert (table.sizes, budget.windows.get().committed_steps) == ([1, 2], 6)


def test_a_window_that_nobody_has_opened_is_said_to_be_missing(
    sessions: list[Session], budget: Budget
) -> None:
    budget.windows.all().delete()
    with pytest.raises(WindowMissing):
        sessions[0].commit()
    assert not budget.windows.exists()
