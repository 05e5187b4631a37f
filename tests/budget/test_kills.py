"""Workers die in the middle of draws and of model calls: nothing leaks, and no answer that was lost is free."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agentops.engine import events as e
from runs import turns
from runs.driver import drive
from runs.histories import read_history
from runs.models import Budget, BudgetWindow, Run
from tests.budget.books import find_leaks
from tests.budget.histories import assert_reservations_fit
from tests.budget.meter import Whims
from tests.budget.teams import hire, start
from tests.budget.watch import Watch, connect
from tests.budget.workers import (
    Workers,
    count_waiting,
    have_all_ended,
    open_workers,
    wait_for_endings,
    wait_until,
)
from tests.factories import BudgetFactory
from tests.runs.company import HERE, Company, says
from tests.runs.planner.provider import Conversation
from tests.runs.test_driver import Crash, abandon

pytestmark = pytest.mark.budget


@pytest.fixture
def workers(company: Company, tmp_path: Path) -> Iterator[Workers]:
    environment = {
        "OPENAI_BASE_URL": company.provider.base_url,
        "OPENAI_API_KEY": "sk-test",
        "TOOLS_PYTHON_MODULES": HERE,
    }
    with open_workers(tmp_path / "stack", environment) as workers:
        yield workers


@pytest.fixture
def budgets(company: Company) -> tuple[Budget, Budget]:
    """Provide a budget of the team and one of the agent, both far away."""
    team, agent = company.cast.team, company.cast.agent
    limits: dict[str, Any] = {"max_usd": Decimal(10), "max_tokens": 10_000_000, "max_steps": 10_000}
    return (
        BudgetFactory.create(team=team, window="month", **limits),
        BudgetFactory.create(team=team, identity=agent, window="month", **limits),
    )


def assert_lost_answers_were_charged(run: Run) -> int:
    """Each lost answer was charged with its whole reservation, marked estimated; return how many there were."""
    events = read_history(run.pk)
    lost = 0
    for requested, event in pairwise(events):
        if event.kind != e.MODEL_FAILED or event.facts["code"] != "lost":
            continue
        assert requested.kind == e.MODEL_REQUESTED
        assert event.facts["estimated"] is True
        assert event.facts["tokens"] == requested.facts["reserved_tokens"]
        assert Decimal(event.facts["usd"]) == Decimal(requested.facts["reserved_usd"])
        lost += 1
    return lost


# --- a driver at a time, in this process ----------------------------------------------------------------------


@pytest.mark.usefixtures("budgets")
def test_what_a_driver_drew_before_it_died_is_used_by_the_next_one(
    company: Company, books: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    run = company.start()

    def die(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(turns, "_note_request", die)
        with pytest.raises(Crash):
            drive(run.pk)
    abandon(run)
    run = company.drive(run)
    assert (run.state, company.kinds(run).count("budget.drawn")) == ("completed", 1)
    assert find_leaks(books) == []


@pytest.mark.usefixtures("budgets")
def test_a_lost_answer_is_charged_in_full_and_marked(
    company: Company, books: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    run = company.start()

    def die(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(turns, "_note_decision", die)
        with pytest.raises(Crash):
            drive(run.pk)
    abandon(run)
    run = company.drive(run)
    reserved = company.facts(run, "model.requested")[0]["reserved_tokens"]
    assert (run.state, run.tokens, len(company.asked())) == ("completed", reserved + 120, 2)
    assert assert_lost_answers_were_charged(run) == 1
    assert find_leaks(books) == []


def test_answers_that_are_lost_again_and_again_end_at_the_limit(
    company: Company, books: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker that takes the run dies of it: what bounds that is the budget."""
    BudgetFactory.create(team=company.cast.team, max_usd=None, max_tokens=20_000)
    company.play(says("Hello."))
    run = company.start()

    def die(*_: object) -> None:
        raise Crash

    monkeypatch.setattr(turns, "_note_decision", die)
    deaths = 0
    while not run.has_ended:
        try:
            drive(run.pk)
        except Crash:
            deaths += 1
            abandon(run)
        run.refresh_from_db()
        assert deaths < 50
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert deaths > 2
    assert run.tokens <= 20_000
    assert assert_lost_answers_were_charged(run) == deaths
    assert find_leaks(books) == []


# --- workers ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("budgets")
def test_a_worker_that_dies_while_models_think(
    company: Company, workers: Workers, books: psycopg.Connection
) -> None:
    answered = threading.Event()

    def think(conversation: Conversation) -> None:
        answered.wait(60)
        says("Hello.")(conversation)

    company.play(think)
    runs = [company.start() for _ in range(8)]
    workers.start()
    wait_until(lambda: len(company.provider.received) == len(runs), "the models were not asked")
    workers.kill()
    answered.set()
    workers.start()
    wait_for_endings(books)
    for run in runs:
        run.refresh_from_db()
        reserved = company.facts(run, "model.requested")[0]["reserved_tokens"]
        assert (run.state, run.tokens) == ("completed", reserved + 120)
        assert assert_lost_answers_were_charged(run) == 1
    assert find_leaks(books) == []


@pytest.mark.slow
def test_a_worker_that_dies_in_the_middle_of_draws(
    company: Company, workers: Workers, books: psycopg.Connection, budgets: tuple[Budget, Budget]
) -> None:
    """The draws wait for a window that somebody else has locked; the worker does not live to see them through."""
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    windows = [BudgetWindow.objects.create(budget=budget, starts_at=month) for budget in budgets]
    company.play(says("Hello."))
    runs = [company.start() for _ in range(8)]
    with connect() as blocker:
        blocker.autocommit = False
        # The second one: the first is theirs by then.
        blocker.execute("SELECT FROM runs_budgetwindow WHERE id = %s FOR UPDATE", (windows[1].pk,))
        workers.start()
        wait_until(lambda: count_waiting() == 1, "one statement draws for all, and does not wait")
        workers.kill()
        assert find_leaks(books) == []
        blocker.rollback()
    wait_until(lambda: count_waiting() == 0, "the dead worker's transactions go on")
    assert find_leaks(books) == [], (
        "the server may have seen it through: drawn is drawn with the stream, or not at all"
    )
    workers.start()
    wait_for_endings(books)
    for run in runs:
        run.refresh_from_db()
        assert (run.state, run.steps) == ("completed", 1)
    assert [window.committed_steps for window in BudgetWindow.objects.all()] == [8, 8]
    assert find_leaks(books) == []


@pytest.mark.slow
def test_workers_that_die_at_any_moment(
    company: Company, workers: Workers, books: psycopg.Connection
) -> None:
    company.add_reads()
    company.publish()
    BudgetFactory.create(team=company.cast.team, window="month", max_usd=Decimal("2.2"), max_tokens=1_800_000)
    ceilings: list[dict[str, Any]] = [{"max_steps": 150}, {"max_tokens": 500_000}, {}]
    agents = [hire(company, number, ceiling, {}) for number, ceiling in enumerate(ceilings)]
    dice = random.Random(20261102)
    whims = Whims(dice, answers_every=12, delay_s=0.6)
    company.play(whims)
    with Watch() as watch:
        for _ in range(2):
            workers.start()
        runs = [start(company, agent) for _ in range(30) for agent in agents]
        kills = 0
        while kills < 8:
            wait_for_work(company, books)
            time.sleep(dice.random() * 1.5)
            workers.kill()
            workers.start()
            kills += 1
        wait_for_endings(books)
    assert (watch.faults, watch.deadlocks) == ([], 0)
    assert find_leaks(books) == []
    lost = 0
    for run in runs:
        run.refresh_from_db()
        lost += assert_lost_answers_were_charged(run)
        assert_reservations_fit(run)
        # Whatever became of its answers, the provider has charged for them, and nobody paid less.
        assert run.tokens >= whims.charged[run.trace_id]
    print(
        f"\n{kills} kills, {lost} lost answers, {len(runs)} runs, {sum(run.steps for run in runs)} steps;"
        f" looked {watch.looks} times; fullest agent {watch.fullness.agent:.4f}, team {watch.fullness.team:.4f}"
    )
    assert lost > 0


def wait_for_work(company: Company, books: psycopg.Connection) -> None:
    """Wait until models are asked again, or there is nothing left to ask."""
    before = len(company.provider.received)
    wait_until(lambda: len(company.provider.received) > before or have_all_ended(books), "nobody works")
