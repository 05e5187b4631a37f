"""Each safeguard taken out, one at a time: the checks of this suite have to notice, or they prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.errors import LockNotAvailable

from agentops.engine import budgets as arithmetic
from agentops.engine.budgets import Amount
from agentops.engine.state import Spent
from runs import draws, reservations, turns
from runs.draws import Draw
from runs.driver import drive
from runs.models import Budget, BudgetWindow, Run
from tests.budget.allowance import look_up_then, take_everything
from tests.budget.books import find_faults, find_leaks
from tests.budget.drawing import hold, move, try_to_move
from tests.budget.rivals import Rival
from tests.cast import Cast
from tests.factories import AgentVersionFactory, BudgetFactory, PriceFactory
from tests.factories.runs import RunFactory
from tests.rewriting import rewrite, rewrite_appends
from tests.runs.company import Company, says
from tests.runs.test_driver import Crash, abandon

pytestmark = pytest.mark.budget

NOW = datetime(2026, 11, 2, 10, 30, tzinfo=UTC)
HOLD = Amount(2, 0, Decimal(0))


def assert_red(check: Callable[[], object]) -> None:
    with pytest.raises(AssertionError):
        check()


# --- draws ------------------------------------------------------------------------------------------------------


def check_a_draw_fits_all_or_none(company: Company, books: psycopg.Connection) -> None:
    """The agent has room, its team has not."""
    team, agent = company.cast.team, company.cast.agent
    roomy = BudgetFactory.create(team=team, identity=agent, max_usd=None, max_steps=10)
    BudgetFactory.create(team=team, max_usd=None, max_steps=0)
    run = company.run(says("Hello."))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert not BudgetWindow.objects.filter(budget=roomy).exclude(committed_steps=0).exists()
    assert find_leaks(books) == []


def test_a_draw_fits_all_or_none(company: Company, books: psycopg.Connection) -> None:
    check_a_draw_fits_all_or_none(company, books)


def change_draws(monkeypatch: pytest.MonkeyPatch, part: str, old: str, new: str) -> None:
    """Take something out of the part of the append that moves shared budgets."""
    monkeypatch.setattr(draws, part, getattr(draws, part).replace(old, new))
    rewrite_appends(monkeypatch, old, new)


def change_lock(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Take something out of the statement that waits for windows."""
    assert old in draws.LOCK
    monkeypatch.setattr(draws, "LOCK", draws.LOCK.replace(old, new))


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("IS_WITHIN", "fence.hold_steps IS NULL OR", "true OR"),
        ("CHANGES", "u.room < u.needed", "false"),
        ("CHANGES", "sum(greatest(steps, 0))", "0"),
    ],
    ids=["refusal", "ceiling", "sum"],
)
def test_without_it_a_draw_is_made_that_fits_in_part(
    company: Company,
    books: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    old: str,
    new: str,
) -> None:
    company.is_mutant = True
    change_draws(monkeypatch, part, old, new)
    assert_red(lambda: check_a_draw_fits_all_or_none(company, books))


# --- locks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def scene(transactional_db: None, cast: Cast) -> tuple[Run, list[BudgetWindow]]:
    """Provide a run and its two windows; the lower id is the later row on the page."""
    budgets = [
        BudgetFactory.create(team=cast.team, max_usd=None, max_steps=10),
        BudgetFactory.create(team=cast.team, identity=cast.agent, max_usd=None, max_steps=10),
    ]
    starts_at = NOW.replace(hour=0, minute=0)
    high, low = (
        BudgetWindow.objects.create(id=number, budget=budget, starts_at=starts_at)
        for number, budget in zip((1_000_002, 1_000_001), budgets, strict=True)
    )
    run = RunFactory.create(agent_version=AgentVersionFactory.create(identity=cast.agent))
    return run, [low, high]


def draw(run: Run, cursor: psycopg.Cursor[Any]) -> None:
    assert hold(cursor, run, Draw(Spent(), HOLD, NOW)) == []


def settle(run: Run, cursor: psycopg.Cursor[Any]) -> None:
    assert move(cursor, run, Draw(Spent(steps=1), None, NOW)) == []


def check_locks_are_taken_in_order(
    scene: tuple[Run, list[BudgetWindow]],
    act: Callable[[Run, psycopg.Cursor[Any]], None],
    books: psycopg.Connection,
) -> None:
    """Whoever waits for the lowest window has not locked a higher one: no two can wait for each other."""
    run, (low, high) = scene
    with ExitStack() as stack:
        first, second = stack.enter_context(Rival()), stack.enter_context(Rival())
        # An order that nobody asked for is the planner's choice; make it the one that is wrong here.
        for way in ("indexscan", "indexonlyscan", "nestloop", "mergejoin"):
            second.connection.execute(f"SET enable_{way} = off")
        if act is settle:
            first.begin(lambda cursor: draw(run, cursor), books).result()
            first.commit()
        first.connection.execute("SELECT FROM runs_budgetwindow WHERE id = %s FOR UPDATE", (low.pk,))
        future = second.begin(lambda cursor: act(run, cursor), books)
        try:
            assert not future.done(), "it does not lock what it changes"
            assert is_free(books, high), "it has locked a higher window before the lowest"
        finally:
            first.give_up()
            future.result()
            second.give_up()


def is_free(books: psycopg.Connection, window: BudgetWindow) -> bool:
    try:
        books.execute("SELECT FROM runs_budgetwindow WHERE id = %s FOR UPDATE NOWAIT", (window.pk,))
    except LockNotAvailable:
        return False
    return True


@pytest.mark.parametrize("act", [draw, settle])
def test_locks_are_taken_in_order(
    scene: tuple[Run, list[BudgetWindow]], books: psycopg.Connection, act: Callable[..., None]
) -> None:
    check_locks_are_taken_in_order(scene, act, books)


@pytest.mark.parametrize("act", [draw, settle])
def test_with_locks_in_another_order_two_runs_can_wait_for_each_other(
    scene: tuple[Run, list[BudgetWindow]],
    books: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[..., None],
) -> None:
    change_lock(monkeypatch, "ORDER BY id ", "ORDER BY id DESC ")
    assert_red(lambda: check_locks_are_taken_in_order(scene, act, books))


def check_who_waited_sees_what_is_left(
    scene: tuple[Run, list[BudgetWindow]], books: psycopg.Connection
) -> None:
    """Of ten steps two runs want six each."""
    run, _ = scene
    other = RunFactory.create(agent_version=run.agent_version)
    most = Draw(Spent(), Amount(6, 0, Decimal(0)), NOW)
    with Rival() as first, Rival() as second:
        assert first.begin(lambda cursor: hold(cursor, run, most), books).result() == []
        waiting = second.begin(lambda cursor: move(cursor, other, most), books)
        assert not waiting.done()
        first.commit()
        assert [missing.left for missing in waiting.result()] == ["4", "4"]


def test_who_waited_sees_what_is_left(
    scene: tuple[Run, list[BudgetWindow]], books: psycopg.Connection
) -> None:
    check_who_waited_sees_what_is_left(scene, books)


def test_without_locks_who_waited_sees_what_was_there_before(
    scene: tuple[Run, list[BudgetWindow]], books: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_lock(monkeypatch, "FOR NO KEY UPDATE", "")
    assert_red(lambda: check_who_waited_sees_what_is_left(scene, books))


def check_who_may_not_wait_leaves_a_locked_window_alone(
    scene: tuple[Run, list[BudgetWindow]], books: psycopg.Connection
) -> None:
    """It is one of a group: all would wait, and be compared with what was there before the wait."""
    run, _ = scene
    other = RunFactory.create(agent_version=run.agent_version)
    most = Draw(Spent(), Amount(6, 0, Decimal(0)), NOW)
    with Rival() as first, Rival() as second:
        assert first.begin(lambda cursor: hold(cursor, run, most), books).result() == []
        tried = second.begin(lambda cursor: try_to_move(cursor, other, most), books)
        found = tried.done() and tried.result()
        first.commit()
        assert (found, tried.result()[0]) == (("window_locked", None), "window_locked")


def test_who_may_not_wait_leaves_a_locked_window_alone(
    scene: tuple[Run, list[BudgetWindow]], books: psycopg.Connection
) -> None:
    check_who_may_not_wait_leaves_a_locked_window_alone(scene, books)


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("CHANGES", "FOR NO KEY UPDATE OF bw SKIP LOCKED", ""),
        ("CHANGES", "SKIP LOCKED", ""),
        ("IS_WITHIN", "AND NOT EXISTS (SELECT FROM busy WHERE busy.run = fence.id)", ""),
    ],
    ids=["lock", "patience", "busy"],
)
def test_without_it_who_may_not_wait_moves_or_waits(
    scene: tuple[Run, list[BudgetWindow]],
    books: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    old: str,
    new: str,
) -> None:
    change_draws(monkeypatch, part, old, new)
    assert_red(lambda: check_who_may_not_wait_leaves_a_locked_window_alone(scene, books))


# --- the end of a run -------------------------------------------------------------------------------------------


def check_a_run_gives_back(company: Company, books: psycopg.Connection) -> None:
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal(1))
    assert company.run(says("Hello.")).state == "completed"
    assert find_faults(books) == []
    assert find_leaks(books) == []


def test_a_run_gives_back(company: Company, books: psycopg.Connection) -> None:
    check_a_run_gives_back(company, books)


def test_without_settling_at_the_end_runs_keep_what_they_drew(
    company: Company, books: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns_of = draws.columns_of
    monkeypatch.setattr(draws, "columns_of", lambda draw: columns_of(draw) if draw and draw.hold else {})
    assert_red(lambda: check_a_run_gives_back(company, books))


# --- reservations -----------------------------------------------------------------------------------------------


def check_the_greediest_model_stays_within(company: Company, books: psycopg.Connection) -> None:
    company.add_reads()
    company.publish(max_steps=100, max_tokens=20_000)
    run = company.run(look_up_then(take_everything))
    assert run.status_reason == "budget_reached"
    assert find_leaks(books) == []


def test_the_greediest_model_stays_within(company: Company, books: psycopg.Connection) -> None:
    check_the_greediest_model_stays_within(company, books)


def test_without_clamping_the_greediest_model_takes_too_much(
    company: Company, books: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = "completion = room[clamped_by]", "completion = completion_tokens"
    unclamped = rewrite(monkeypatch, arithmetic, "plan_reservation", old, new)
    monkeypatch.setattr(reservations, "plan_reservation", unclamped)
    assert_red(lambda: check_the_greediest_model_stays_within(company, books))


def check_crumbs(company: Company, books: psycopg.Connection) -> None:
    """A price so fine that a call costs fractions of what the rows can hold, and an answer that is lost."""
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal(1))
    company.publish(price=False)
    PriceFactory.create(
        model=company.model,
        input_usd_per_mtok=Decimal("0.000037"),
        output_usd_per_mtok=Decimal("0.000041"),
    )
    company.play(says("Hello."))
    run = company.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "_note_decision", die)
        with pytest.raises(Crash):
            drive(run.pk)
    abandon(run)
    assert company.drive(run).state == "completed"
    assert find_leaks(books) == []


def die(*_: object) -> None:
    raise Crash


def test_no_crumbs_are_left(company: Company, books: psycopg.Connection) -> None:
    check_crumbs(company, books)


def test_without_rounding_crumbs_are_left(
    company: Company, books: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arithmetic, "QUANTUM", Decimal("1e-14"))
    assert_red(lambda: check_crumbs(company, books))


def check_lost_answers_cost(company: Company, books: psycopg.Connection) -> None:
    budget: Budget = BudgetFactory.create(team=company.cast.team, max_usd=None, max_tokens=100_000)
    company.play(says("Hello."))
    run = company.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "_note_decision", die)
        with pytest.raises(Crash):
            drive(run.pk)
    abandon(run)
    run = company.drive(run)
    reserved = company.facts(run, "model.requested")[0]["reserved_tokens"]
    assert budget.windows.get().committed_tokens == run.tokens == reserved + 120
    assert find_leaks(books) == []


def test_lost_answers_cost(company: Company, books: psycopg.Connection) -> None:
    check_lost_answers_cost(company, books)


def test_without_charging_lost_answers_they_are_free(
    company: Company, books: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(
        monkeypatch,
        turns,
        "settle_lost_answer",
        "**charge_lost(session)",
        '**charge_lost(session), "tokens": 0',
    )
    assert_red(lambda: check_lost_answers_cost(company, books))
