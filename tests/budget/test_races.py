"""A hundred drivers in four processes, runs of five agents of one team, three levels of ceilings, all hit."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from guardian.shortcuts import assign_perm

from agentops.engine import events as e
from identities.models import AgentIdentity
from runs.histories import read_history
from runs.models import Budget, Run
from tests.budget.books import find_leaks
from tests.budget.fleet import drive_all
from tests.budget.histories import assert_reservations_fit
from tests.budget.meter import Whims
from tests.budget.teams import hire, start
from tests.budget.watch import Watch
from tests.factories import AgentFactory, AgentVersionFactory, BudgetFactory, GrantFactory
from tests.runs.company import HERE, Company

pytestmark = [pytest.mark.budget, pytest.mark.slow]

RUNS_PER_AGENT = 40
# Ceilings of the agents, and limits of their runs; the last agent is bound by its team and its runs only. The
# first three are tight, so that they are hit before the team's, however the race goes.
AGENTS: list[dict[str, Any]] = [
    {"max_steps": 12},
    {"max_tokens": 30_000},
    {"max_usd": Decimal("0.03")},
    {"max_steps": 160, "max_tokens": 480_000, "max_usd": Decimal("0.64")},
    {},
]
LIMITS: list[dict[str, Any]] = [
    {},
    {},
    {"max_steps": 3},
    {"max_usd": Decimal("0.016")},
    {"max_tokens": 12_000},
]


@dataclass
class Race:
    """What was seen of it."""

    watch: Watch
    runs: list[Run] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0


def race(company: Company, whims: Whims, agents: list[AgentIdentity], runs_each: int) -> Race:
    company.play(whims)
    runs = [start(company, agent) for _ in range(runs_each) for agent in agents]
    environment = {
        "OPENAI_BASE_URL": company.provider.base_url,
        "OPENAI_API_KEY": "sk-test",
        "TOOLS_PYTHON_MODULES": HERE,
        "LOG_LEVEL": "ERROR",
    }
    started = time.monotonic()
    with Watch() as watch:
        complaints = drive_all([run.pk for run in runs], environment)
    for run in runs:
        run.refresh_from_db()
    return Race(watch, runs, complaints, time.monotonic() - started)


def _tell(found: Race, whims: Whims) -> None:
    draws = sum(event.kind == e.BUDGET_DRAWN for run in found.runs for event in read_history(run.pk))
    endings = Counter(f"{run.state} {run.status_reason}".strip() for run in found.runs)
    watch, steps = found.watch, sum(run.steps for run in found.runs)
    print(
        f"\n{len(found.runs)} runs, {steps} steps, {draws} draws in {found.seconds:.1f} s; {dict(endings)};"
        f" looked {watch.looks} times; fullest agent {watch.fullness.agent:.4f}, team {watch.fullness.team:.4f};"
        f" most waiting for a lock {watch.most_waiting}; lost answers {whims.lost}"
    )


def assert_charges_are_the_providers(found: Race, whims: Whims) -> None:
    """What the provider has charged, and the whole reservation for each answer that was lost: not a token else."""
    for run in found.runs:
        lost = sum(event.facts["tokens"] for event in read_history(run.pk) if event.facts.get("estimated"))
        assert run.tokens == whims.charged[run.trace_id] + lost


def test_a_hundred_drivers_never_exceed_a_ceiling_and_leave_nothing_behind(
    company: Company, books: psycopg.Connection
) -> None:
    company.add_reads()
    company.publish()  # sets the price
    team = company.cast.team
    ceilings: dict[str, Any] = {"max_usd": Decimal("1.0"), "max_tokens": 1_050_000, "max_steps": 2_000}
    BudgetFactory.create(team=team, window="month", **ceilings)
    BudgetFactory.create(team=team, window="day", max_usd=Decimal(100))
    agents = [hire(company, number, AGENTS[number], LIMITS[number]) for number in range(len(AGENTS))]
    whims = Whims(random.Random(20261102))
    found = race(company, whims, agents, RUNS_PER_AGENT)
    _tell(found, whims)

    watch = found.watch
    assert found.complaints == []
    assert all(run.ended_at for run in found.runs)
    assert (watch.faults, watch.deadlocks) == ([], 0), "at no moment"
    assert find_leaks(books) == []
    assert_charges_are_the_providers(found, whims)
    for run in found.runs:
        assert_reservations_fit(run)

    # It was a race, and ceilings were hit: of the runs themselves, and shared ones.
    assert watch.looks > 20
    assert watch.most_waiting > 1
    assert min(watch.fullness.agent, watch.fullness.team) > Decimal("0.9")
    halted = [run for run in found.runs if run.status_reason == "budget_reached"]
    exhausted = [
        event for run in halted for event in read_history(run.pk) if event.kind == e.BUDGET_EXHAUSTED
    ]
    limits = {event.facts["limit"] for event in exhausted}
    # Which shared ceiling is met first hangs on the interleaving; each alone is tested in tests/runs/test_turns.py.
    assert len(limits & {"shared_steps", "shared_tokens", "shared_usd"}) >= 2
    assert {"tokens", "usd"} & limits
    assert_endings_account_for_themselves(books, [run.pk for run in halted])


def assert_endings_account_for_themselves(books: psycopg.Connection, runs: list[UUID]) -> None:
    rows = books.execute(
        "SELECT content FROM ledger_entry WHERE stream = ANY(%s) AND kind = 'run.halted'", (runs,)
    ).fetchall()
    assert len(rows) == len(runs)
    for (content,) in rows:
        assert " used up. " in content
        assert '"done"' in content
        assert '"not_done"' in content


def test_agents_of_two_teams_do_not_stand_in_each_others_way(
    company: Company, books: psycopg.Connection
) -> None:
    """One team's ceiling is hit at once; the other's runs all end well."""
    company.add_reads()
    company.publish()
    agent = hire(company, 1, {}, {})
    other_tool = company.versions[0].tool
    stranger: AgentIdentity = AgentFactory.create(team=company.cast.other_team, slug="stranger")
    GrantFactory.create(identity=stranger, tool=other_tool)
    assign_perm("start_run", company.cast.application.service_account, stranger)
    AgentVersionFactory.create(
        identity=stranger, model=company.model, catalogue=company.versions, published=True
    )
    tight: Budget = BudgetFactory.create(team=company.cast.team, window="month", max_usd=None, max_steps=5)
    BudgetFactory.create(team=company.cast.other_team, window="month", max_usd=None, max_steps=10_000)
    whims = Whims(random.Random(1), answers_every=2, breaks_every=1 << 31, refuses_every=1 << 31)
    found = race(company, whims, [agent, stranger], 15)
    assert found.complaints == []
    assert find_leaks(books) == []
    ours = [run for run in found.runs if run.identity_id == agent.pk]
    theirs = [run for run in found.runs if run.identity_id == stranger.pk]
    assert sum(run.steps for run in ours) <= 5 == tight.max_steps
    assert any(run.status_reason == "budget_reached" for run in ours)
    assert not any(run.status_reason == "budget_reached" for run in theirs if run.steps < run.max_steps)
