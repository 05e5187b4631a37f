"""A run over the end of an hour, a day or a month: each window bears what was reserved in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from runs.escrow import STEPS_AHEAD
from runs.models import Budget, BudgetWindow
from runs.services import answer_input
from tests.budget.books import find_leaks
from tests.budget.clock import Clock, stopped_clock
from tests.factories import BudgetFactory
from tests.runs.company import Company, proposes, says
from tests.runs.planner.provider import Conversation, Turn

pytestmark = pytest.mark.budget

NOW = datetime.now(UTC)
HOUR = NOW.replace(minute=0, second=0, microsecond=0)
BOUNDARIES = {"hour": HOUR, "day": HOUR.replace(hour=0), "month": HOUR.replace(day=1, hour=0)}
HALF = timedelta(minutes=30)
YESTERDAY = (NOW - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
# A day that begins within a month, on the first of one, too.
MIDNIGHT = YESTERDAY - timedelta(days=YESTERDAY.day == 1)


def crosses(clock: Clock, turn: Turn) -> Turn:
    """Let an hour pass while the model thinks."""

    def play(conversation: Conversation) -> None:
        clock.pass_by(hours=1)
        turn(conversation)

    return play


def committed(budget: Budget) -> list[tuple[datetime, int, int, Decimal]]:
    rows = BudgetWindow.objects.filter(budget=budget).order_by("starts_at")
    return list(rows.values_list("starts_at", "committed_steps", "committed_tokens", "committed_usd"))


def before(window: str) -> datetime:
    """Return when the window before a boundary began."""
    starts = BOUNDARIES[window] - timedelta(minutes=1)
    return {
        "hour": starts.replace(minute=0),
        "day": starts.replace(hour=0, minute=0),
        "month": starts.replace(day=1, hour=0, minute=0),
    }[window]


@pytest.mark.parametrize("window", ["hour", "day", "month"])
def test_a_run_over_a_boundary_charges_each_window_with_what_was_reserved_in_it(
    company: Company, books: psycopg.Connection, window: str
) -> None:
    boundary = BOUNDARIES[window]
    budget = BudgetFactory.create(team=company.cast.team, window=window, max_usd=Decimal(1), max_steps=50)
    company.add_reads()
    with stopped_clock(boundary - HALF) as clock:
        turns: list[Turn] = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(4)]
        # The second turn is asked for in the old window and answered in the new one.
        company.publish(max_seconds=86_400)
        run = company.run(turns[0], crosses(clock, turns[1]), turns[2], turns[3], says("Done."))
    assert (run.state, run.steps) == ("completed", 5)
    assert committed(budget) == [
        (before(window), 2, 240, Decimal("0.00028")),
        (boundary, 3, 360, Decimal("0.00042")),
    ]
    assert find_leaks(books) == []


@pytest.mark.parametrize("window", ["hour", "day", "month"])
def test_what_is_left_over_at_the_end_goes_back_to_where_it_came_from(
    company: Company, books: psycopg.Connection, window: str
) -> None:
    """Drawn in the old window, ended in the new one without another turn."""
    boundary = BOUNDARIES[window]
    budget = BudgetFactory.create(team=company.cast.team, window=window, max_usd=Decimal(1))
    with stopped_clock(boundary - HALF) as clock:
        company.publish(max_seconds=86_400)
        run = company.run(crosses(clock, says("Done.")))
    assert run.state == "completed"
    assert committed(budget) == [(before(window), 1, 120, Decimal("0.00014"))]
    assert find_leaks(books) == []


def test_a_run_that_waited_over_a_boundary_draws_on_the_new_window(
    company: Company, books: psycopg.Connection
) -> None:
    """What it held overnight is yesterday's: today's ceiling counts for what it does today."""
    day, month = (
        BudgetFactory.create(team=company.cast.team, window=window, max_usd=None, max_tokens=20_000)
        for window in ("day", "month")
    )
    with stopped_clock(MIDNIGHT - HALF) as clock:
        run = company.run(proposes(("ask_user", {"question": "Which?"})), says("Done."))
        assert run.state == "requires_action"
        assert committed(day)[0][2] == 120, "what it did not use has gone back"
        clock.pass_by(hours=1)
        # Somebody else has used up the new day meanwhile.
        BudgetWindow.objects.create(budget=day, starts_at=MIDNIGHT, committed_tokens=20_000)
        answer_input(actor=company.cast.application.service_account, run=run, text="A-1")
        run = company.drive(run)
    assert (run.state, run.status_reason, run.steps) == ("halted", "budget_reached", 1)
    exhausted = company.facts(run, "budget.exhausted")[0]
    assert (exhausted["limit"], exhausted["left"]) == ("shared_tokens", "0")
    assert [row[2] for row in committed(day)] == [120, 20_000]
    assert [row[2] for row in committed(month)] == [120]
    BudgetWindow.objects.filter(budget=day, starts_at=MIDNIGHT).delete()
    assert find_leaks(books) == []


def test_budgets_of_several_windows_roll_over_one_by_one(company: Company, books: psycopg.Connection) -> None:
    hour, day = (
        BudgetFactory.create(team=company.cast.team, window=window, max_usd=None, max_tokens=100_000)
        for window in ("hour", "day")
    )
    company.add_reads()
    noon = (NOW - timedelta(days=1)).replace(hour=12, minute=30, second=0, microsecond=0)
    with stopped_clock(noon) as clock:
        company.publish(max_seconds=86_400)
        turns = [crosses(clock, proposes(("look_up", {"order_id": f"A-{n}"}))) for n in range(3)]
        run = company.run(*turns, says("Done."))
    assert (run.state, run.steps) == ("completed", 4)
    assert [(row[0].hour, row[2]) for row in committed(hour)] == [(12, 120), (13, 120), (14, 120), (15, 120)]
    assert [row[2] for row in committed(day)] == [480]
    assert find_leaks(books) == []


def test_the_next_window_is_free_again(company: Company) -> None:
    BudgetFactory.create(team=company.cast.team, window="hour", max_usd=None, max_steps=1)
    company.publish(max_seconds=86_400)
    with stopped_clock(HOUR - HALF) as clock:
        states: list[str] = []
        for passed in (0, 0, 60):
            clock.pass_by(minutes=passed)
            states.append(company.run(says("Done.")).state)
    assert states == ["completed", "halted", "completed"]


# --- budgets that come and go under a run -------------------------------------------------------------------


def during(happens: Callable[[], object], turn: Turn) -> Turn:
    def play(conversation: Conversation) -> None:
        from django.db import connection

        happens()
        connection.close()
        turn(conversation)

    return play


def test_a_budget_that_is_set_under_way_is_charged_from_the_next_model_call_on(
    company: Company, books: psycopg.Connection
) -> None:
    team = company.cast.team
    old = BudgetFactory.create(team=team, max_usd=None, max_steps=100)
    company.add_reads()
    turns: list[Turn] = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(5)]

    def set_budget() -> None:
        BudgetFactory.create(team=team, window="hour", max_usd=None, max_steps=100)

    # Four steps are drawn at a time: two of them are left, and drawn again on both.
    run = company.run(turns[0], during(set_budget, turns[1]), *turns[2:], says("Done."))
    assert (run.state, run.steps) == ("completed", 6)
    new = Budget.objects.exclude(pk=old.pk).get()
    assert [row[1:3] for row in committed(old)] == [(6, 720)]
    assert [row[1] for row in committed(new)] == [4]
    assert [fault.split(":")[0] for fault in find_leaks(books)] == [
        "run has drawn on some budgets only",
        "budget charged otherwise than used",
    ], "which is so: it has not seen the run's beginning"


def test_a_budget_that_is_deleted_under_way_binds_no_more(
    company: Company, books: psycopg.Connection
) -> None:
    budget = BudgetFactory.create(team=company.cast.team, max_usd=None, max_steps=2)
    company.add_reads()
    turns: list[Turn] = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(3)]
    run = company.run(turns[0], during(budget.delete, turns[1]), turns[2], says("Done."))
    assert (run.state, run.steps) == ("completed", 4)
    assert find_leaks(books) == []


def test_a_ceiling_that_is_lowered_below_what_is_committed_stops_further_draws(
    company: Company, books: psycopg.Connection
) -> None:
    budget = BudgetFactory.create(team=company.cast.team, max_usd=None, max_steps=100)
    company.add_reads()
    company.publish(max_steps=2 * STEPS_AHEAD)
    turns: list[Turn] = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(STEPS_AHEAD + 1)]

    def lower() -> None:
        Budget.objects.filter(pk=budget.pk).update(max_steps=3)

    run = company.run(turns[0], during(lower, turns[1]), *turns[2:], says("Never."))
    assert (run.state, run.status_reason, run.steps) == ("halted", "budget_reached", STEPS_AHEAD), (
        "what it held is its own"
    )
    assert find_leaks(books) == [f"budget {budget.pk}: {STEPS_AHEAD} of 3 steps"]
