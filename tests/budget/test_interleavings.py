"""Draws, settlements and deaths of two drivers in every order: the rows always say what arithmetic says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops.engine.budgets import Amount, Shortfall
from agentops.engine.state import Spent
from runs.draws import Draw
from runs.models import Budget, BudgetWindow, Run
from tests.budget.books import find_faults
from tests.budget.drawing import hold, move
from tests.budget.rivals import Rival, two_rivals, waits
from tests.cast import Cast
from tests.factories import AgentFactory, AgentVersionFactory, BudgetFactory
from tests.factories.runs import RunFactory

pytestmark = pytest.mark.budget

NOW = datetime(2026, 11, 2, 10, 30, tzinfo=UTC)
LATER = datetime(2026, 11, 2, 11, 30, tzinfo=UTC)  # the next hour of the same day
UNITS = ("steps", "tokens", "usd")
NOTHING = Amount(0, 0, Decimal(0))

amounts = st.builds(
    Amount, st.integers(0, 6), st.integers(0, 60), st.decimals(min_value=0, max_value=1, places=8)
)
ceilings = st.fixed_dictionaries(
    {
        "max_steps": st.none() | st.integers(0, 20),
        "max_tokens": st.none() | st.integers(0, 200),
        "max_usd": st.none() | st.decimals(min_value=0, max_value=3, places=8),
    }
)


@dataclass(frozen=True)
class Deed:
    """What one driver does with one run: it has used a part of what it held, and now draws, waits or ends."""

    run: int
    used: Amount
    hold: Amount | None  # None: the run ends, or waits for people
    at: datetime
    commits: bool  # or dies before it
    waits: bool = False


deeds = st.builds(
    Deed,
    st.integers(0, 3),
    amounts,
    st.none() | amounts,
    st.sampled_from([NOW, LATER]),
    st.sampled_from([True, True, True, False]),
    st.booleans(),
)
# Who begins, in which order; the one who began first closes first, because the other waits for it as a rule.
rounds = st.lists(st.sampled_from([(0,), (1,), (0, 1), (1, 0), (0, 1), (1, 0)]), min_size=4, max_size=12)


Window = tuple[int, datetime]  # the number of a budget, and when its window begins


@dataclass
class Arithmetic:
    """What the rows should say: each window bears what runs have used of it, and what they hold of it."""

    budgets: list[Budget]
    runs: list[Run]
    charged: dict[Window, Amount] = field(default_factory=dict)
    held_at: dict[int, datetime] = field(default_factory=dict)
    held: dict[int, Amount] = field(default_factory=dict)
    spent: dict[int, Amount] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)

    def changes(self, deed: Deed) -> dict[Window, Amount]:
        """Return what a deed changes: what is held goes back but for what was used, what is wanted is taken."""
        changes: dict[Window, Amount] = {}
        if deed.run in self.held_at:
            for window in self._windows(deed.run, self.held_at[deed.run]):
                changes[window] = self.used(deed) - self.held[deed.run]
        for window in self._windows(deed.run, deed.at) if deed.hold is not None else ():
            changes[window] = changes.get(window, NOTHING) + (deed.hold or NOTHING)
        return changes

    def _windows(self, run: int, at: datetime) -> list[Window]:
        starts = {"hour": at.replace(minute=0), "day": at.replace(hour=0, minute=0)}
        return [
            (number, starts[budget.window])
            for number, budget in enumerate(self.budgets)
            if budget.identity_id in (None, self.runs[run].identity_id)
        ]

    def used(self, deed: Deed) -> Amount:
        """A run uses at most what it holds."""
        return Amount.least((deed.used, self.held.get(deed.run, NOTHING)))

    def allows(self, deed: Deed) -> bool:
        """Whether no ceiling is in the way of a draw."""
        return all(
            getattr(change, unit) <= 0
            or (ceiling := getattr(self.budgets[window[0]], f"max_{unit}")) is None
            or getattr(self.charged.get(window, NOTHING) + change, unit) <= ceiling
            for window, change in self.changes(deed).items()
            for unit in UNITS
        )

    def carry_out(self, deed: Deed) -> None:
        for window, change in self.changes(deed).items():
            self.charged[window] = self.charged.get(window, NOTHING) + change
        self.spent[deed.run] = self.spent.get(deed.run, NOTHING) + self.used(deed)
        self.held[deed.run] = deed.hold or NOTHING
        self.held_at[deed.run] = deed.at
        if deed.hold is None and not deed.waits:
            self.ended.add(deed.run)


@dataclass
class Stage:
    """Two drivers, their runs, and what should be."""

    arithmetic: Arithmetic
    onlooker: psycopg.Connection[Any]
    rivals: tuple[Rival, Rival]
    under_way: list[tuple[Deed, Future[list[Shortfall]]] | None] = field(default_factory=lambda: [None, None])

    def close_all(self) -> None:
        """Close what is under way: what waits is done once the other is closed."""
        while any(self.under_way):
            for who, present in enumerate(self.under_way):
                if present is not None and not self._waits(who, present[1]):
                    self._close(who, *present)

    def _waits(self, who: int, future: Future[list[Shortfall]]) -> bool:
        return not future.done() and waits(self.onlooker, self.rivals[who].connection.info.backend_pid)

    def begin(self, who: int, deed: Deed) -> None:
        """Let a driver begin a deed, while the other may be in the middle of one."""
        other = self.under_way[1 - who]
        if deed.run in self.arithmetic.ended or (other is not None and other[0].run == deed.run):
            return  # nobody drives a run that has ended, or that another drives
        future = self.rivals[who].begin(lambda cursor: self._act(cursor, deed), self.onlooker)
        self.under_way[who] = (deed, future)

    def _act(self, cursor: psycopg.Cursor[Any], deed: Deed) -> list[Shortfall]:
        total = self.arithmetic.spent.get(deed.run, NOTHING) + self.arithmetic.used(deed)
        run, spent = self.arithmetic.runs[deed.run], Spent(total.steps, total.tokens, total.usd)
        draw = Draw(spent, deed.hold, deed.at)
        return hold(cursor, run, draw) if deed.hold is not None else move(cursor, run, draw)

    def _close(self, who: int, deed: Deed, future: Future[list[Shortfall]]) -> None:
        missing = future.result()
        assert deed.hold is None or self.arithmetic.allows(deed) is not bool(missing)
        if missing or not deed.commits:
            self.rivals[who].give_up()
        else:
            self.rivals[who].commit()
            self.arithmetic.carry_out(deed)
        self.under_way[who] = None
        self.check()

    def check(self) -> None:
        """Hold the rows against the arithmetic; a window that was never drawn on need not be there."""
        assert find_faults(self.onlooker) == []
        numbers = {budget.pk: number for number, budget in enumerate(self.arithmetic.budgets)}
        found = {
            (numbers[row.budget_id], row.starts_at): Amount(
                row.committed_steps, row.committed_tokens, row.committed_usd
            )
            for row in BudgetWindow.objects.all()
        }
        for window in {*found, *self.arithmetic.charged}:
            assert found.get(window, NOTHING) == self.arithmetic.charged.get(window, NOTHING)


@pytest.fixture
def runs(transactional_db: None, cast: Cast) -> list[Run]:
    """Provide four runs of two agents of one team."""
    agents = (cast.agent, AgentFactory.create(team=cast.team))
    versions = [AgentVersionFactory.create(identity=agent) for agent in agents]
    return [RunFactory.create(agent_version=versions[number % 2]) for number in range(4)]


@pytest.fixture
def rivals() -> Iterator[tuple[Rival, Rival]]:
    with two_rivals() as rivals:
        yield rivals


def set_budgets(runs: list[Run], limits: list[dict[str, Any]]) -> list[Budget]:
    """Replace all budgets: of the team per hour and per day, of each agent per day."""
    Budget.objects.all().delete()
    team, agents = runs[0].team, (runs[0].identity, runs[1].identity)
    scopes = [(None, "hour"), (None, "day"), (agents[0], "day"), (agents[1], "day")]
    budgets = [
        BudgetFactory.create(team=team, identity=identity, window=window, **limit)
        for (identity, window), limit in zip(scopes, limits, strict=True)
    ]
    for budget in budgets:
        budget.refresh_from_db()
    return budgets


@pytest.mark.slow  # every order is played on real rows
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=st.lists(ceilings, min_size=4, max_size=4), plan=st.data(), order=rounds)
def test_whatever_the_order_the_rows_say_what_arithmetic_says(
    runs: list[Run],
    books: psycopg.Connection[Any],
    limits: list[dict[str, Any]],
    plan: st.DataObject,
    order: list[tuple[int, ...]],
) -> None:
    with two_rivals() as rivals:
        stage = Stage(Arithmetic(set_budgets(runs, limits), runs), books, rivals)
        for beginning in order:
            for who in beginning:
                stage.begin(who, plan.draw(deeds))
            stage.close_all()
        for number in set(range(len(runs))) - stage.arithmetic.ended:
            stage.begin(0, Deed(number, NOTHING, None, NOW, commits=True))
            stage.close_all()
    charged, spent = stage.arithmetic.charged, stage.arithmetic.spent
    of_team_per_day = [amount for (number, _), amount in charged.items() if number == 1]
    assert sum(of_team_per_day, NOTHING) == sum(spent.values(), NOTHING)
    held = books.execute("SELECT count(*) FROM runs_escrow WHERE settled_at IS NULL").fetchone()
    assert held == (0,)


FAR: dict[str, Any] = {"max_steps": 1_000, "max_tokens": None, "max_usd": None}
TIGHT: dict[str, Any] = {"max_steps": 5, "max_tokens": None, "max_usd": None}
FOUR = Amount(4, 0, Decimal(0))


@pytest.mark.parametrize("tight", [0, 1, 2], ids=["team per hour", "team per day", "agent per day"])
@pytest.mark.parametrize("commits", [True, False], ids=["committed", "killed"])
def test_a_draw_that_waited_gets_what_the_other_has_left(
    runs: list[Run], rivals: tuple[Rival, Rival], books: psycopg.Connection[Any], tight: int, commits: bool
) -> None:
    """Runs 0 and 2 are of one agent; together they want more than there is."""
    budgets = set_budgets(runs, [TIGHT if number == tight else FAR for number in range(4)])
    stage = Stage(Arithmetic(budgets, runs), books, rivals)
    stage.begin(0, Deed(0, NOTHING, FOUR, NOW, commits=commits))
    stage.begin(1, Deed(2, NOTHING, FOUR, NOW, commits=True))
    second = stage.under_way[1]
    assert second is not None
    assert not second[1].done(), "it waits"
    stage.close_all()
    assert bool(second[1].result()) is commits
    assert stage.arithmetic.held == ({0: FOUR} if commits else {2: FOUR})


def test_a_draw_that_waited_for_a_settlement_gets_what_came_back(
    runs: list[Run], rivals: tuple[Rival, Rival], books: psycopg.Connection[Any]
) -> None:
    stage = Stage(Arithmetic(set_budgets(runs, [TIGHT, FAR, FAR, FAR]), runs), books, rivals)
    stage.begin(0, Deed(0, NOTHING, FOUR, NOW, commits=True))
    stage.close_all()
    stage.begin(0, Deed(0, Amount(1, 0, Decimal(0)), None, NOW, commits=True))
    stage.begin(1, Deed(1, NOTHING, FOUR, NOW, commits=True))
    stage.close_all()
    assert stage.arithmetic.held == {0: NOTHING, 1: FOUR}


def test_what_is_missing_is_named(
    runs: list[Run], rivals: tuple[Rival, Rival], books: psycopg.Connection[Any]
) -> None:
    limits = [{**FAR, "max_tokens": 50}, FAR, {**FAR, "max_usd": Decimal("0.5")}, FAR]
    stage = Stage(Arithmetic(set_budgets(runs, limits), runs), books, rivals)
    stage.begin(0, Deed(0, NOTHING, Amount(1, 60, Decimal("0.7")), NOW, commits=True))
    present = stage.under_way[0]
    assert present is not None
    missing = {(found.limit, Decimal(found.left), Decimal(found.needed)) for found in present[1].result()}
    assert missing == {
        ("shared_tokens", Decimal(50), Decimal(60)),
        ("shared_usd", Decimal("0.5"), Decimal("0.7")),
    }
    stage.close_all()
