"""Draws, settlements and deaths of two drivers in every order: the rows always say what arithmetic says."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
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
from runs import escrow
from runs.models import Budget, BudgetWindow, Run
from tests.budget.books import find_faults
from tests.budget.rivals import Rival, context_of, waits
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
    """What one driver does with one run: it has used a part of what it held, and now draws or ends."""

    run: int
    used: Amount
    hold: Amount | None  # None: the run ends
    at: datetime
    commits: bool  # or dies before it


deeds = st.builds(
    Deed,
    st.integers(0, 3),
    amounts,
    st.none() | amounts,
    st.sampled_from([NOW, LATER]),
    st.sampled_from([True, True, True, False]),
)
# Who begins, in which order; the one who began first closes first, because the other waits for it as a rule.
rounds = st.lists(st.sampled_from([(0,), (1,), (0, 1), (1, 0), (0, 1), (1, 0)]), min_size=4, max_size=12)


@dataclass
class Arithmetic:
    """What the rows should say: everything drawn by a run is drawn of each budget that binds it."""

    budgets: list[Budget]
    drawn: dict[int, Amount] = field(default_factory=dict)
    spent: dict[int, Amount] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)

    def committed(self, budget: Budget, runs: list[Run]) -> Amount:
        total = NOTHING
        for number, run in enumerate(runs):
            if budget.identity_id in (None, run.identity_id):
                total += self.drawn.get(number, NOTHING)
        return total

    def allows(self, number: int, hold: Amount, used: Amount, runs: list[Run]) -> bool:
        """Whether no ceiling is in the way of a draw."""
        change = self.spent_with(number, used) + hold - self.drawn.get(number, NOTHING)
        return all(
            getattr(change, unit) <= 0
            or getattr(budget, f"max_{unit}") is None
            or getattr(self.committed(budget, runs) + change, unit) <= getattr(budget, f"max_{unit}")
            for budget in self.budgets
            if budget.identity_id in (None, runs[number].identity_id)
            for unit in UNITS
        )

    def spent_with(self, number: int, used: Amount) -> Amount:
        """A run uses at most what it holds."""
        spent = self.spent.get(number, NOTHING)
        return spent + Amount.least((used, self.drawn.get(number, NOTHING) - spent))


@dataclass
class Stage:
    """Two drivers, their runs, and what should be."""

    runs: list[Run]
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
        used = self.arithmetic.spent_with(deed.run, deed.used)
        spent = Spent(used.steps, used.tokens, used.usd)
        if deed.hold is None:
            escrow.settle(cursor, self.runs[deed.run].pk, spent, deed.at)
            return []
        return escrow.hold_amount(cursor, context_of(self.runs[deed.run]), spent, deed.hold, deed.at)

    def _close(self, who: int, deed: Deed, future: Future[list[Shortfall]]) -> None:
        missing = future.result()
        arithmetic = self.arithmetic
        if deed.hold is not None:
            assert bool(missing) != arithmetic.allows(deed.run, deed.hold, deed.used, self.runs)
        if missing or not deed.commits:
            self.rivals[who].give_up()
        else:
            self.rivals[who].commit()
            spent = arithmetic.spent_with(deed.run, deed.used)
            arithmetic.spent[deed.run] = spent
            arithmetic.drawn[deed.run] = spent + (deed.hold or NOTHING)
            arithmetic.ended |= {deed.run} if deed.hold is None else set()
        self.under_way[who] = None
        self.check()

    def check(self) -> None:
        assert find_faults(self.onlooker) == []
        for budget in self.arithmetic.budgets:
            rows = BudgetWindow.objects.filter(budget=budget)
            found = NOTHING
            for row in rows:
                found += Amount(row.committed_steps, row.committed_tokens, row.committed_usd)
            assert found == self.arithmetic.committed(budget, self.runs)


@pytest.fixture
def runs(transactional_db: None, cast: Cast) -> list[Run]:
    """Provide four runs of two agents of one team."""
    agents = (cast.agent, AgentFactory.create(team=cast.team))
    versions = [AgentVersionFactory.create(identity=agent) for agent in agents]
    return [RunFactory.create(agent_version=versions[number % 2]) for number in range(4)]


@pytest.fixture
def rivals() -> Iterator[tuple[Rival, Rival]]:
    with ExitStack() as stack:
        yield stack.enter_context(Rival()), stack.enter_context(Rival())


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


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=st.lists(ceilings, min_size=4, max_size=4), plan=st.data(), order=rounds)
def test_whatever_the_order_the_rows_say_what_arithmetic_says(
    runs: list[Run],
    rivals: tuple[Rival, Rival],
    books: psycopg.Connection[Any],
    limits: list[dict[str, Any]],
    plan: st.DataObject,
    order: list[tuple[int, ...]],
) -> None:
    for rival in rivals:
        rival.give_up()  # what an example that failed may have left
    stage = Stage(runs, Arithmetic(set_budgets(runs, limits)), books, rivals)
    for rivals_of_round in order:
        for who in rivals_of_round:
            stage.begin(who, plan.draw(deeds))
        stage.close_all()
    for number in set(range(len(runs))) - stage.arithmetic.ended:
        stage.begin(0, Deed(number, NOTHING, None, NOW, commits=True))
        stage.close_all()
    assert stage.arithmetic.drawn == stage.arithmetic.spent
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
    stage = Stage(runs, Arithmetic(budgets), books, rivals)
    stage.begin(0, Deed(0, NOTHING, FOUR, NOW, commits=commits))
    stage.begin(1, Deed(2, NOTHING, FOUR, NOW, commits=True))
    second = stage.under_way[1]
    assert second is not None
    assert not second[1].done(), "it waits"
    stage.close_all()
    assert bool(second[1].result()) is commits
    assert stage.arithmetic.drawn == ({0: FOUR} if commits else {2: FOUR})


def test_a_draw_that_waited_for_a_settlement_gets_what_came_back(
    runs: list[Run], rivals: tuple[Rival, Rival], books: psycopg.Connection[Any]
) -> None:
    stage = Stage(runs, Arithmetic(set_budgets(runs, [TIGHT, FAR, FAR, FAR])), books, rivals)
    stage.begin(0, Deed(0, NOTHING, FOUR, NOW, commits=True))
    stage.close_all()
    stage.begin(0, Deed(0, Amount(1, 0, Decimal(0)), None, NOW, commits=True))
    stage.begin(1, Deed(1, NOTHING, FOUR, NOW, commits=True))
    stage.close_all()
    assert stage.arithmetic.drawn == {0: Amount(1, 0, Decimal(0)), 1: FOUR}


def test_what_is_missing_is_named(
    runs: list[Run], rivals: tuple[Rival, Rival], books: psycopg.Connection[Any]
) -> None:
    limits = [{**FAR, "max_tokens": 50}, FAR, {**FAR, "max_usd": Decimal("0.5")}, FAR]
    stage = Stage(runs, Arithmetic(set_budgets(runs, limits)), books, rivals)
    stage.begin(0, Deed(0, NOTHING, Amount(1, 60, Decimal("0.7")), NOW, commits=True))
    present = stage.under_way[0]
    assert present is not None
    missing = {(found.limit, Decimal(found.left), Decimal(found.needed)) for found in present[1].result()}
    assert missing == {
        ("shared_tokens", Decimal(50), Decimal(60)),
        ("shared_usd", Decimal("0.5"), Decimal("0.7")),
    }
    stage.close_all()
