"""The worst case of a call never exceeds what is left, and a run at a limit halts with an account of itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from runs.models import AgentVersion
from runs.services import answer_input
from tests.budget.allowance import look_up_then, take_everything, take_more
from tests.budget.books import find_leaks
from tests.budget.histories import assert_reservations_fit
from tests.factories import BudgetFactory
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.planner.provider import completion, reply

pytestmark = pytest.mark.budget


# --- clamping -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        ({"max_tokens": 30_000}, "tokens"),
        ({"max_tokens": 30_001}, "tokens"),
        ({"max_usd": Decimal("0.05"), "max_tokens": 10_000_000}, "usd"),
        ({"max_usd": Decimal("0.0333"), "max_tokens": 10_000_000}, "usd"),
    ],
)
def test_a_model_that_takes_all_it_may_stays_within_the_runs_limits(
    company: Company, limits: dict[str, Any], limit: str
) -> None:
    company.add_reads()
    company.publish(max_steps=100, **limits)
    run = company.run(look_up_then(take_everything))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert company.facts(run, "budget.exhausted")[0]["limit"] == limit
    assert run.tokens <= run.max_tokens
    assert run.usd <= run.max_usd
    assert run.steps > 1
    assert_reservations_fit(run)
    assert not any(facts.get("overrun") for facts in company.facts(run, "step.decided"))


@pytest.mark.parametrize(
    "ceiling", [{"max_tokens": 40_000}, {"max_usd": Decimal("0.05")}, {"max_steps": 3, "max_usd": None}]
)
@pytest.mark.parametrize("level", ["agent", "team"])
def test_a_model_that_takes_all_it_may_stays_within_shared_ceilings(
    company: Company, books: psycopg.Connection, ceiling: dict[str, Any], level: str
) -> None:
    company.add_reads()
    team, agent = company.cast.team, company.cast.agent
    BudgetFactory.create(
        team=team, identity=agent if level == "agent" else None, **{"max_usd": None, **ceiling}
    )
    # The other level is far away, but counted.
    BudgetFactory.create(team=team, identity=None if level == "agent" else agent, max_usd=Decimal(1000))
    company.publish(max_steps=100, max_tokens=10_000_000, max_usd=Decimal(100))
    run = company.run(look_up_then(take_everything))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert (
        company.facts(run, "budget.exhausted")[0]["limit"]
        == f"shared_{next(iter(ceiling)).removeprefix('max_')}"
    )
    assert run.steps > 1
    assert_reservations_fit(run)
    assert find_leaks(books) == []


def test_the_smallest_completion_that_a_version_asks_for_is_no_shortfall(company: Company) -> None:
    company.publish(max_completion_tokens=5)
    assert company.run(says("Yes.", usage=_usage(50, 5))).state == "completed"
    assert company.asked()[0]["max_completion_tokens"] == 5


def test_what_one_run_leaves_the_next_one_can_use(company: Company, books: psycopg.Connection) -> None:
    """Two runs together need more than the ceiling in worst cases, and less in truth."""
    BudgetFactory.create(team=company.cast.team, max_usd=None, max_tokens=20_000)
    ended = [company.run(says("Hello.")) for _ in range(8)]
    assert {run.state for run in ended} == {"completed"}
    assert find_leaks(books) == []


def _usage(prompt: int, output: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}


# --- a provider that takes more than it was allowed --------------------------------------------------------


def test_a_provider_that_takes_more_than_the_run_has_is_recorded_and_halts_the_run(company: Company) -> None:
    company.add_tool("refund")
    company.publish(max_tokens=8_000, max_completion_tokens=4_000)
    run = company.run(proposes(("refund", ORDER), usage=_usage(3_000, 60_000)), says("Never."))
    assert (run.state, run.status_reason, run.tokens) == ("halted", "budget_reached", 63_000)
    assert company.facts(run, "step.decided")[0]["overrun"] is True
    ending = company.content(run, "run.halted")
    assert (ending["done"], ending["not_done"]) == ([], ["1 × refund (proposed)"])
    assert (company.world.attempts, len(company.asked())) == ([], 1)


def test_a_final_answer_stands_whatever_it_cost(company: Company, books: psycopg.Connection) -> None:
    """No more is to be paid for: the answer is there."""
    budget = BudgetFactory.create(team=company.cast.team, max_usd=None, max_tokens=20_000)
    company.publish(max_tokens=8_000)
    run = company.run(says("Hello.", usage=_usage(3_000, 60_000)))
    assert (run.state, run.status_reason, run.tokens) == ("completed", "", 63_000)
    assert company.content(run, "run.completed") == {"answer": "Hello."}
    assert company.facts(run, "step.decided")[0]["overrun"] is True
    assert budget.windows.get().committed_tokens == 63_000


def test_an_overrun_within_the_runs_limits_is_recorded(company: Company) -> None:
    company.publish(max_completion_tokens=100)
    run = company.run(says("Hello.", usage=_usage(3_000, 60_000)))
    assert (run.state, run.tokens) == ("completed", 63_000)
    assert company.facts(run, "step.decided")[0]["overrun"] is True


@pytest.mark.parametrize("level", ["agent", "team"])
def test_an_overrun_is_charged_to_shared_budgets_in_full(
    company: Company, books: psycopg.Connection, level: str
) -> None:
    """Nobody can stop a provider from taking it, so the books say it, and the next run is refused."""
    budget = BudgetFactory.create(
        team=company.cast.team,
        identity=company.cast.agent if level == "agent" else None,
        max_usd=None,
        max_tokens=20_000,
    )
    company.publish(max_completion_tokens=100)
    run = company.run(says("Hello.", usage=_usage(3_000, 60_000)))
    assert (run.state, budget.windows.get().committed_tokens) == ("completed", 63_000)
    assert find_leaks(books) == [f"budget {budget.pk}: 63000 of 20000 tokens"]

    following = company.run(says("Hello."))
    assert (following.state, following.status_reason, following.tokens) == ("halted", "budget_reached", 0)
    exhausted = company.facts(following, "budget.exhausted")[0]
    assert (exhausted["limit"], exhausted["left"]) == ("shared_tokens", "-43000")


def test_a_window_beyond_its_ceiling_gives_nothing_to_runs_under_way(
    company: Company, books: psycopg.Connection
) -> None:
    """Neither to the run whose provider took too much, nor to one that waited meanwhile."""
    budget = BudgetFactory.create(team=company.cast.team, max_usd=None, max_tokens=20_000)
    company.add_reads()
    waiting = company.run(proposes(("ask_user", {"question": "Which?"})))
    taker = company.run(proposes(("look_up", ORDER), usage=_usage(3_000, 30_000)), says("Never."))
    assert (taker.state, taker.status_detail, taker.steps) == ("halted", "shared_tokens", 1)
    answer_input(actor=company.cast.application.service_account, run=waiting, text="A-1")
    waiting = company.drive(waiting)
    assert (waiting.state, waiting.status_detail, waiting.steps) == ("halted", "shared_tokens", 1)
    assert company.facts(waiting, "budget.exhausted")[0]["left"] == "-13120"
    assert budget.windows.get().committed_tokens == 33_120
    assert find_leaks(books) == [f"budget {budget.pk}: 33120 of 20000 tokens"]


def test_an_overrun_halts_at_the_next_turn_when_the_team_has_no_more(
    company: Company, books: psycopg.Connection
) -> None:
    company.add_reads()
    BudgetFactory.create(team=company.cast.team, max_usd=None, max_tokens=30_000)
    run = company.run(look_up_then(take_more(25_000)))
    assert (run.state, run.status_reason, run.steps) == ("halted", "budget_reached", 1)
    assert company.states(run) == [("succeeded", "ok")]
    assert find_leaks(books) == []


# --- at a limit -------------------------------------------------------------------------------------------


def _dawdle(seconds: float) -> Callable[[Callable[[], dict[str, Any]]], dict[str, Any]]:
    def act(do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        time.sleep(seconds)
        return do()

    return act


@pytest.mark.parametrize(
    ("limits", "limit", "why"),
    [
        ({"max_steps": 2}, "steps", "The run's steps are used up."),
        ({"max_tokens": 12_000}, "tokens", "The run's tokens are used up."),
        ({"max_usd": Decimal("0.012")}, "usd", "The run's budget for USD is used up."),
        ({"max_seconds": 1}, "seconds", "The run's working time is used up."),
    ],
)
def test_each_limit_halts_with_an_account_of_what_was_done(
    company: Company, books: psycopg.Connection, limits: dict[str, Any], limit: str, why: str
) -> None:
    company.add_tool("refund")
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal(100))
    company.publish(**limits)
    company.world.mishaps.extend([lambda do: do(), _dawdle(1.1 if "max_seconds" in limits else 0)])
    turns = [proposes(("refund", {"order_id": f"A-{n}"}), usage=_usage(3_000, 1_000)) for n in range(2)]
    run = company.run(*turns, says("Never."))
    assert (run.state, run.status_reason, run.steps) == ("halted", "budget_reached", 2)
    ending = company.content(run, "run.halted")
    assert (ending["done"], ending["not_done"], ending["unknown"]) == (["2 × refund"], [], [])
    assert ending["summary"].startswith(f"{why} Done: 2 × refund.")
    assert (run.status_detail, company.facts(run, "run.halted")[0]["limit"]) == (limit, limit)
    noted = [limit] if limit in ("tokens", "usd") else []
    assert [facts["limit"] for facts in company.facts(run, "budget.exhausted")] == noted
    assert len(company.asked()) == 2
    assert find_leaks(books) == []


@pytest.mark.parametrize(
    ("whose", "window", "limits", "detail", "why"),
    [
        ("team", "month", {"max_usd": 0}, "shared_usd", "The team's budget for USD this month is used up."),
        (
            "agent",
            "day",
            {"max_tokens": 0},
            "shared_tokens",
            "The agent's budget for tokens today is used up.",
        ),
        (
            "team",
            "hour",
            {"max_steps": 0},
            "shared_steps",
            "The team's budget for steps this hour is used up.",
        ),
    ],
)
def test_a_shared_budget_that_is_used_up_is_named(
    company: Company, whose: str, window: str, limits: dict[str, int], detail: str, why: str
) -> None:
    identity = company.cast.agent if whose == "agent" else None
    ceilings = {"max_usd": None, **limits}
    BudgetFactory.create(team=company.cast.team, identity=identity, window=window, **ceilings)
    run = company.run(says("Never."))
    assert (run.state, run.status_reason, run.status_detail) == ("halted", "budget_reached", detail)
    assert company.content(run, "run.halted")["summary"].startswith(why)
    exhausted = company.facts(run, "budget.exhausted")[0]
    assert (exhausted["whose"], exhausted["window"]) == (whose, window)


def test_a_run_without_a_price_says_so(company: Company) -> None:
    company.publish(price=False)
    run = company.run(says("Never."))
    assert (run.status_reason, run.status_detail) == ("budget_reached", "price")
    assert company.content(run, "run.halted")["summary"].startswith("The model has no price.")


def test_a_model_is_not_waited_for_beyond_the_deadline(company: Company, books: psycopg.Connection) -> None:
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal(100))
    company.publish(max_seconds=1)
    run = company.run(lambda conversation: conversation.wait())
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    lost, requested = company.facts(run, "model.failed")[0], company.facts(run, "model.requested")[0]
    assert (lost["estimated"], run.tokens) == (True, requested["reserved_tokens"]), "it may have been at work"
    assert find_leaks(books) == []


def test_a_limit_inside_a_step_loses_nothing(company: Company, books: psycopg.Connection) -> None:
    """Three writes of one step; the time is up after the first."""
    company.add_tool("refund")
    company.add_tool("cancel")
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal(100))
    company.publish(max_seconds=1)
    company.world.mishaps.extend([_dawdle(1.1)])
    calls = proposes(("refund", ORDER), ("cancel", ORDER), ("refund", {"order_id": "A-2"}))
    run = company.run(calls, says("Never."))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert company.states(run) == [("succeeded", "ok"), ("allowed", ""), ("allowed", "")]
    assert company.facts(run, "call.succeeded")[0]["call"] == 1
    ending = company.content(run, "run.halted")
    assert ending["done"] == ["1 × refund"]
    assert sorted(ending["not_done"]) == ["1 × cancel (allowed)", "1 × refund (allowed)"]
    assert (company.world.attempts, len(company.world.effects)) == (["refund"], 1)
    assert find_leaks(books) == []


def test_reads_that_were_under_way_at_the_limit_all_have_outcomes(company: Company) -> None:
    company.add_reads()
    company.publish(max_seconds=1)
    company.world.mishaps.extend([_dawdle(1.1)] * 3)
    run = company.run(proposes(*[("look_up", {"order_id": f"A-{n}"}) for n in range(3)]), says("Never."))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert company.states(run) == [("succeeded", "ok")] * 3


def test_what_a_halted_run_held_goes_back_at_once(company: Company, books: psycopg.Connection) -> None:
    budget = BudgetFactory.create(
        team=company.cast.team, max_usd=Decimal(1), max_steps=10, max_tokens=100_000
    )
    company.add_reads()
    company.publish(max_steps=1)
    run = company.run(proposes(("look_up", ORDER)), says("Never."))
    window = budget.windows.get()
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert (window.committed_steps, window.committed_tokens, window.committed_usd) == (1, run.tokens, run.usd)
    assert find_leaks(books) == []


def test_a_failed_turn_that_was_measured_is_charged_as_measured(
    company: Company, books: psycopg.Connection
) -> None:
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal(1))
    empty = reply(completion(message={"content": ""}, usage=_usage(3_000, 7)))
    run = company.run(empty, says("Hello.", usage=_usage(3_000, 9)))
    assert (run.state, run.tokens) == ("completed", 6_016)
    assert find_leaks(books) == []


# --- what a version starts with -----------------------------------------------------------------------------


def test_the_defaults_of_a_version_become_the_limits_of_its_runs(company: Company) -> None:
    version = company.publish()
    fresh = AgentVersion()
    defaults = (fresh.max_steps, fresh.max_tokens, Decimal(str(fresh.max_usd)), fresh.max_seconds)
    assert defaults == (12, 100_000, Decimal("2.00"), 90)
    run = company.start()
    run.refresh_from_db()
    assert (run.max_steps, run.max_tokens, run.max_usd, run.max_seconds) == defaults
    assert (version.max_steps, version.max_tokens) == (12, 100_000)
    limits = company.facts(run, "run.started")[0]["limits"]
    assert (limits["steps"], limits["tokens"], Decimal(limits["usd"]), limits["seconds"]) == defaults


def test_by_default_the_thirteenth_step_is_not_taken(company: Company) -> None:
    company.add_reads()
    turns = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(13)]
    run = company.run(*turns)
    assert (run.state, run.status_reason, run.steps) == ("halted", "budget_reached", 12)
    assert len(company.calls(run)) == 12
