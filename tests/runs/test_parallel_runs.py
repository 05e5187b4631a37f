"""Many runs at once: what they share holds all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from agentops import database
from runs.actions import executing
from runs.driver import drive
from runs.models import Run
from runs.planner.messages import PlannerRequest
from runs.planner.openai_chat import OpenAIPlanner
from runs.session import Session
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.planner.provider import Conversation
from tools.models import CapUsage


def drive_together(company: Company, runs: list[Run], threads: int) -> None:
    """Drive runs in threads, as the workers of a concurrent pool do."""
    left = list(runs)

    def work() -> None:
        try:
            while left:
                run = left.pop()
                while drive(run.pk):
                    pass
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


CONNECTIONS = 2


@pytest.fixture
def lent() -> Iterator[Callable[[], int]]:
    """Keep the pool small; provide how many connections of both are lent, the heartbeat's short loan apart."""

    def count() -> int:
        orm_pool: Any = connection.pool  # type: ignore[attr-defined]  # of PostgreSQL only
        stats = [pool.get_stats() for pool in (orm_pool, database.pool())]
        return sum(each["pool_size"] - each["pool_available"] for each in stats)

    def count_often() -> int:
        counts = []
        for _ in range(20):
            counts.append(count())
            time.sleep(0.005)
        return min(counts)

    with override_settings(JOURNAL_POOL_SIZE=CONNECTIONS):
        database.close_pool()
        yield count_often
    # Only now, for a thread that is left opens it anew at once: a small one would starve later tests.
    database.close_pool()


def drive_to_their_models(company: Company, number: int, lent: Callable[[], int]) -> list[int]:
    """Drive runs whose model answers none before it was asked by all; return what was lent at that moment."""
    seen: list[int] = []
    together = threading.Barrier(number, lambda: seen.append(lent()), timeout=60)

    def answer(conversation: Conversation) -> None:
        together.wait()
        says("Done.")(conversation)

    company.provider.play(answer)
    runs = [company.start() for _ in range(number)]
    connection.close()
    before = lent()  # threads of earlier tests may have ended with a connection in their hands
    drive_together(company, runs, number)
    assert Run.objects.filter(state="completed").count() == number
    return [count - before for count in seen]


MANY = pytest.param(150, marks=[pytest.mark.crash, pytest.mark.slow])  # it needs time


@pytest.mark.parametrize("waiting", [12, MANY])
def test_runs_that_wait_for_their_models_hold_no_connection(
    company: Company, lent: Callable[[], int], waiting: int
) -> None:
    assert drive_to_their_models(company, waiting, lent) == [0]


def test_a_run_that_asks_with_a_connection_in_its_hands_is_seen(
    company: Company, lent: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: as many runs wait as there are connections, and no other could."""
    ask = OpenAIPlanner.ask

    def ask_with_connection(planner: OpenAIPlanner, request: PlannerRequest) -> Any:
        with database.borrowed():
            return ask(planner, request)

    monkeypatch.setattr(OpenAIPlanner, "ask", ask_with_connection)
    assert drive_to_their_models(company, CONNECTIONS, lent) == [CONNECTIONS]


@pytest.mark.budget
@pytest.mark.slow
def test_a_hundred_runs_at_once_overspend_no_cap(company: Company) -> None:
    company.add_tool(
        "refund",
        grant="ALLOW_WITH_CAPS",
        grant_caps=[{"per": "month", "count": 40, "amount": "37.00"}],
        amount_argument="amount",
    )
    company.provider.play(refund_once)
    runs = [company.start() for _ in range(100)]
    drive_together(company, runs, 12)
    usage = CapUsage.objects.get()
    assert (usage.used_count, usage.used_amount) == (37, Decimal(37))
    assert len(company.world.effects) == 37
    codes = [code for run in runs for _, code in company.states(run)]
    assert (codes.count("ok"), codes.count("cap_exceeded")) == (37, 63)


def test_the_same_effect_proposed_by_many_runs_at_once_is_one(company: Company) -> None:
    company.add_tool("refund", dedupe_on=["order_id"])
    company.provider.play(refund_once)
    runs = [company.start() for _ in range(16)]
    drive_together(company, runs, 8)
    assert len(company.world.effects) == 1
    codes = [code for run in runs for _, code in company.states(run)]
    assert (codes.count("ok"), codes.count("duplicate_effect")) == (1, 15)


def test_without_the_guard_the_same_effect_is_made_twice(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: only the assessment looks for like effects, not the transaction that starts one."""
    company.add_tool("refund", dedupe_on=["order_id"])
    company.provider.play(refund_once)
    assessed = threading.Barrier(2)
    commit = executing._commit_attempts

    def commit_together(session: Session, ready: list[executing.Ready]) -> None:
        assessed.wait(30)
        commit(session, ready)

    monkeypatch.setattr(executing, "_commit_attempts", commit_together)
    monkeypatch.setattr(executing, "is_first_of_its_kind", lambda cursor, assessment, now: True)
    drive_together(company, [company.start() for _ in range(2)], 2)
    assert len(company.world.effects) == 2


def refund_once(conversation: Conversation) -> None:
    """Propose a refund in the first turn of a run, and end in its second."""
    port = conversation.client_address[1]
    asked = next(each for each in reversed(conversation.server.provider.received) if each.client_port == port)
    first = not any(message["role"] == "assistant" for message in asked.body["messages"])
    (proposes(("refund", {**ORDER, "amount": "1.00"})) if first else says("Done."))(conversation)
