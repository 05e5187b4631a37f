"""Real workers that are killed while an agent elsewhere works for their run: once sent, once done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runs.models import Run
from tests.runs.a2a.remotes import Far, add_server, far_agent, take_over, wait_for
from tests.runs.company import Company, proposes, says
from tests.runs.conftest import company
from tests.undo.conftest import desk
from tests.undo.desk import Desk

__all__ = ["company", "desk"]

pytestmark = [pytest.mark.delegation, pytest.mark.slow]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    """Provide somebody else's agent."""
    with far_agent(tmp_path) as started:
        yield started


def begin(desk: Desk, far: Far, task: str, idempotency: str) -> Run:
    company: Company = desk.company
    company.versions.clear()
    take_over(
        company,
        add_server(company, far.url),
        idempotency=idempotency,
        terms={"timeout_s": 20.0, "breaker": {"probe_lease_s": 60.0}},
    )
    company.play(proposes(("delegate", {"task": task})), says("Done."))
    return company.start()


def test_a_worker_dies_while_the_task_goes_on(desk: Desk, far: Far) -> None:
    run = begin(desk, far, "slow work", "none")
    desk.work(1)
    wait_for(lambda: bool(desk.company.facts(run, "call.awaited")))
    for worker in list(desk.workers):
        assert desk._kill(worker.pid)
    far.let_go()
    desk.ended(run, "completed")
    assert (desk.company.states(run), len(far.took())) == ([("succeeded", "ok")], 1)


def test_a_worker_dies_before_it_hears_that_the_task_was_taken(desk: Desk, far: Far) -> None:
    run = begin(desk, far, "linger on", "read_back")
    desk.work(1)
    wait_for(lambda: len(far.took()) == 1)
    assert desk.kill_driver_of(run)
    far.let_go()
    desk.ended(run, "completed")
    assert (desk.company.states(run), len(far.took())) == ([("succeeded", "ok")], 1), desk.log()


def test_where_nothing_can_be_asked_a_person_is(desk: Desk, far: Far) -> None:
    run = begin(desk, far, "linger on", "none")
    desk.work(1)
    wait_for(lambda: len(far.took()) == 1)
    assert desk.kill_driver_of(run)
    far.let_go()
    desk.waits(run)
    assert ([state for state, _ in desk.company.states(run)], len(far.took())) == (["parked"], 1)
