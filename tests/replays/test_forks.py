"""Forks by real workers, beside servers of tools that keep a file of all that has happened: it stays as it was."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.engine import events as e
from runs.comparing import compare_runs
from runs.forks.plans import Fork
from runs.forks.services import fork_run
from runs.models import Run
from runs.replays.services import replay_run
from tests.replays.recorded import drive_long
from tests.runs.company import Company, proposes, says
from tests.runs.planner.provider import Conversation, Turn
from tests.runs.replays.forking import fork, let_fork
from tests.undo.desk import Desk

pytestmark = [pytest.mark.slow, pytest.mark.replay]

FIRST = ("make_keep", {"effect": "a"})
SECOND = ("make_keep", {"effect": "b"})
NEW = ("make_blind", {"effect": "never"})


def begin(desk: Desk, run: Run, *turns: Turn, step: int = 2, **changes: Any) -> Run:
    """Play turns, by how far the conversation is, to a fork that Alice begins."""
    desk._play(turns)
    return fork_run(actor=let_fork(desk.company.cast.alice), run=run, fork=Fork(run.pk, step, **changes))


def test_no_server_sees_a_fork_s_calls(desk: Desk) -> None:
    desk.work(2)
    run = desk.run(("keep", "a"), ("keep", "b"))
    happened = desk.happened()
    made = desk.ended(begin(desk, run, says(""), proposes(SECOND, NEW), says("Done.")), "completed")
    states = [(call.tool_name, call.state) for call in desk.company.calls(made)]
    assert states == [("make_keep", "succeeded"), ("make_keep", "succeeded"), ("make_blind", "refused")]
    assert desk.happened() == happened
    assert compare_runs(run, made).parting == 2
    assert replay_run(actor=desk.company.cast.alice, run=made).outcome == "same"


def test_a_worker_without_the_guard_would_reach_the_server(desk: Desk) -> None:
    desk.company.is_mutant = True
    desk.work(1)
    run = desk.run(("keep", "a"))
    happened = desk.happened()
    for worker in list(desk.workers):
        desk._kill(worker.pid)
    for worker in list(desk.workers):
        desk.stack.kill(worker)
        desk.workers.remove(worker)
    desk.work(1, mutant="call_in_forks")
    desk.ended(begin(desk, run, says(""), proposes(NEW), says("Done.")), "completed")
    assert ("make_blind", "never") in desk.happened()[len(happened) :]


def test_a_fork_whose_worker_is_killed_goes_on_and_still_calls_nobody(desk: Desk) -> None:
    """Killed while the model thinks: the lost answer is charged to the fork, and what it has recalled stands."""
    desk.work(1)
    run = desk.run(("keep", "a"), ("keep", "b"))
    happened = desk.happened()
    killed: list[bool] = []

    def think(conversation: Conversation) -> None:
        if not killed:
            killed.append(desk.kill_driver_of(Run.objects.get(kind="fork")))
        proposes(SECOND, NEW)(conversation)

    made = desk.ended(begin(desk, run, says(""), think, says("Done.")), "completed")
    assert killed == [True]
    assert desk.happened() == happened
    lost = [facts for facts in desk.company.facts(made, e.MODEL_FAILED) if facts["code"] == "lost"]
    assert [facts["estimated"] for facts in lost] == [True]
    assert desk.company.kinds(made).count(e.STEP_DECIDED) == 3
    assert replay_run(actor=desk.company.cast.alice, run=made).outcome == "same"


def test_ten_forks_at_once_are_ten_runs_and_no_effect(desk: Desk) -> None:
    desk.work(2)
    run = desk.run(("keep", "a"), ("keep", "b"))
    happened = desk.happened()
    turns = says(""), proposes(SECOND), says("Done.")
    forks = [begin(desk, run, *turns, instructions=f"Variant {number}.") for number in range(10)]
    for made in forks:
        assert compare_runs(run, desk.ended(made, "completed")).parting is None
    assert desk.happened() == happened


def test_a_long_run_is_forked_at_its_end_for_the_price_of_one_question(company: Company) -> None:
    run = drive_long(company, 100)
    asked, attempts = len(company.asked()), list(company.world.attempts)
    before = company.asked()[-1]["messages"]
    made = fork(company, run, 101, says("Done otherwise."))
    assert (made.state, len(company.asked())) == ("completed", asked + 1)
    assert company.asked()[-1]["messages"] == before
    assert company.world.attempts == attempts
    assert made.tokens < run.tokens / 50
