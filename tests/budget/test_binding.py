"""A budget that is set while runs are under way binds them from their next model call on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

from runs.budgeting import set_budget
from runs.models import Budget
from runs.services import answer_input
from tests.budget.books import find_leaks
from tests.budget.test_windows import committed, during
from tests.rewriting import rewrite_appends
from tests.runs.company import Company, proposes, says
from tests.runs.planner.provider import Turn

pytestmark = pytest.mark.budget


@pytest.mark.parametrize("unit", ["steps", "tokens", "usd"])
@pytest.mark.parametrize("whose", ["team", "agent"])
def test_a_run_that_nothing_bound_is_bound_from_its_next_model_call_on(
    company: Company, books: psycopg.Connection, unit: str, whose: str
) -> None:
    company.add_reads()
    turns: list[Turn] = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(3)]
    run = company.run(
        turns[0], during(lambda: set_one(company, unit, whose), turns[1]), turns[2], says("Done.")
    )
    assert (run.state, run.steps) == ("completed", 4)
    budget = Budget.objects.get()
    _, *charged = committed(budget)[0]
    assert charged == [2, 240, Decimal("0.00028")], "two of four calls came after it"
    assert company.kinds(run).count("budget.bound") == 1
    assert not budget.windows.filter(escrows__settled_at=None).exists()
    assert [fault.split(":")[0] for fault in find_leaks(books)] == ["budget charged otherwise than used"], (
        "which is so: it has not seen the run's beginning"
    )


def set_one(company: Company, unit: str, whose: str, ceiling: int = 100_000) -> None:
    cast = company.cast
    identity = cast.agent if whose == "agent" else None
    ceilings: dict[str, Any] = {f"max_{unit}": ceiling}
    set_budget(actor=cast.alice, team=cast.team, identity=identity, window="day", **ceilings)


def test_a_ceiling_without_room_stops_a_run_that_nothing_bound(company: Company) -> None:
    company.add_reads()

    def set_tight() -> None:
        set_one(company, "tokens", "team", ceiling=100)

    turns: list[Turn] = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(2)]
    run = company.run(turns[0], during(set_tight, turns[1]), says("Never."))
    assert (run.state, run.status_detail, len(company.asked())) == ("halted", "shared_tokens", 2)
    assert [row[1:3] for row in committed(Budget.objects.get())] in ([], [(0, 0)])


def test_a_run_that_waited_is_bound_by_what_was_set_meanwhile(company: Company) -> None:
    run = company.run(proposes(("ask_user", {"question": "Which?"})))
    set_one(company, "usd", "team", ceiling=1)
    company.play(says("Done."))
    answer_input(actor=company.cast.application.service_account, run=run, text="A-1")
    run = company.drive(run)
    assert (run.state, [row[1:] for row in committed(Budget.objects.get())]) == (
        "completed",
        [(1, 120, Decimal("0.00014"))],
    )


def test_a_unit_that_a_budget_limits_later_binds_too(company: Company, books: psycopg.Connection) -> None:
    set_one(company, "steps", "team")
    company.add_reads()

    def limit_tokens() -> None:
        set_budget(
            actor=company.cast.alice, team=company.cast.team, identity=None, window="day",
            max_steps=100_000, max_tokens=300,
        )  # fmt: skip

    turns: list[Turn] = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(2)]
    run = company.run(turns[0], during(limit_tokens, turns[1]), says("Never."))
    assert (run.state, run.status_detail, run.steps) == ("halted", "shared_tokens", 2)
    assert find_leaks(books) == []


def test_a_step_of_a_run_is_not_told_of_budgets_that_it_knows(company: Company) -> None:
    set_one(company, "usd", "team")
    company.add_reads()
    run = company.run(*[proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(5)], says("Done."))
    assert (run.state, company.kinds(run).count("budget.bound")) == ("completed", 0)


def test_without_looking_before_a_model_call_a_new_budget_binds_nobody(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    look = "EXISTS (SELECT FROM unbound c WHERE c.id = fence.id)"
    rewrite_appends(monkeypatch, f"AND NOT {look}", "")
    rewrite_appends(monkeypatch, look, "false")
    company.add_reads()
    turns: list[Turn] = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(2)]
    set_late = during(lambda: set_one(company, "tokens", "team", ceiling=100), turns[1])
    assert company.run(turns[0], set_late, says("Done.")).state == "completed"
