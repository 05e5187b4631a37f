"""A run that waits for people holds nothing that others could use meanwhile."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from agentops.engine import events as e
from agentops.engine.fold import UnfoldableEvent, fold_all
from runs import escrow, group_commit, journal
from runs.driver import drive
from runs.models import Budget, Run
from runs.services import answer_input, pause_run, resume_run
from tests.budget.books import find_leaks
from tests.engine.histories import history, requested
from tests.factories import BudgetFactory
from tests.runs.company import Company, proposes, says
from tests.runs.test_driver import Crash, abandon

pytestmark = pytest.mark.budget

APPEND = group_commit.append
ASKS = proposes(("ask_user", {"question": "Which?"}))


@pytest.fixture
def tight(company: Company) -> Budget:
    """Provide a ceiling with room for three steps, which one run draws at once."""
    company.publish(max_steps=3)
    budget: Budget = BudgetFactory.create(team=company.cast.team, max_usd=None, max_steps=3)
    return budget


def answer(company: Company, run: Run) -> Run:
    answer_input(actor=company.cast.application.service_account, run=run, text="A-1")
    return company.drive(run)


def held(books: psycopg.Connection[Any]) -> int:
    row = books.execute("SELECT count(*) FROM runs_escrow WHERE settled_at IS NULL").fetchone()
    return int(row[0]) if row else 0


def test_what_a_waiting_run_does_not_use_is_there_for_others(
    company: Company, books: psycopg.Connection, tight: Budget
) -> None:
    waiting = company.run(ASKS)
    assert (waiting.state, tight.windows.get().committed_steps, held(books)) == ("requires_action", 1, 0)
    other = company.run(says("Hello."))
    assert (other.state, tight.windows.get().committed_steps) == ("completed", 2)
    company.play(says("Thank you."))
    waiting = answer(company, waiting)
    assert (waiting.state, waiting.steps, tight.windows.get().committed_steps) == ("completed", 2, 3)
    kinds = [kind for kind in company.kinds(waiting) if kind in e.OF_ESCROW]
    assert kinds == [e.BUDGET_DRAWN, e.BUDGET_RETURNED, e.BUDGET_DRAWN]
    assert find_leaks(books) == []


def test_a_run_that_comes_back_to_nothing_halts_with_an_account(
    company: Company, books: psycopg.Connection, tight: Budget
) -> None:
    waiting = company.run(ASKS)
    assert [company.run(says("Hello.")).state for _ in range(2)] == ["completed"] * 2
    waiting = answer(company, waiting)
    assert (waiting.state, waiting.status_detail, waiting.steps) == ("halted", "shared_steps", 1)
    assert find_leaks(books) == []


def test_a_paused_run_holds_nothing(company: Company, books: psycopg.Connection, tight: Budget) -> None:
    application = company.cast.application.service_account
    waiting = company.run(ASKS)
    for _ in range(2):
        pause_run(actor=application, run=waiting)
        company.drive(waiting)
        waiting.refresh_from_db()
        resume_run(actor=application, run=waiting)
        company.drive(waiting)
    assert company.kinds(waiting).count(e.BUDGET_RETURNED) == 1, "only what is held is returned"
    assert (tight.windows.get().committed_steps, held(books)) == (1, 0)


def test_a_run_without_shared_budgets_returns_nothing(company: Company) -> None:
    assert e.BUDGET_RETURNED not in company.kinds(company.run(ASKS))


@pytest.mark.parametrize("after", [True, False])
def test_a_driver_that_dies_while_it_returns_has_returned_all_or_nothing(
    company: Company, books: psycopg.Connection[Any], tight: Budget, after: bool
) -> None:
    def die(write: journal.Write) -> journal.Appended:
        if e.BUDGET_RETURNED not in [entry.kind for entry in write.entries]:
            return APPEND(write)
        if after:
            APPEND(write)
        raise Crash

    company.play(ASKS)
    run = company.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_commit, "append", die)
        with pytest.raises(Crash):
            drive(run.pk)
    assert held(books) == (0 if after else 1)
    abandon(run)
    assert company.drive(run).state == "requires_action"
    assert (tight.windows.get().committed_steps, held(books)) == (1, 0)
    assert find_leaks(books) == []


def test_without_returning_the_others_find_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch, tight: Budget
) -> None:
    """The mutant."""
    monkeypatch.setattr(escrow, "give_back", lambda session: session.commit())
    assert company.run(ASKS).state == "requires_action"
    assert company.run(says("Hello.")).status_detail == "shared_steps"


def test_what_is_reserved_cannot_go_back() -> None:
    returned = (e.BUDGET_RETURNED, {"steps": 1, "tokens": 0, "usd": "0"})
    with pytest.raises(UnfoldableEvent):
        fold_all(history(requested(1), returned))
