"""A run that remembers is replayed without a difference, and a fork of it notes nothing."""

from __future__ import annotations

import pytest

from agentops.errors import StateConflict
from runs.forks.plans import Fork
from runs.forks.services import fork_run
from runs.models import Memory
from runs.replays.services import replay_run
from tests.runs.company import Company, says
from tests.runs.memory.conftest import desk
from tests.runs.memory.desk import later, note, recalls, remembers
from tests.runs.replays.forking import let_fork

__all__ = ["desk"]


def test_what_was_noted_and_recalled_is_no_difference(desk: Company) -> None:
    note(desk)
    run = later(desk, remembers("Pays in euros."), recalls("e-mail"), remembers(""), says("Done."))
    report = replay_run(actor=desk.cast.alice, run=run)
    assert not report.differences


def test_a_run_that_recalled_is_not_forked(desk: Company) -> None:
    note(desk)
    run, notes = later(desk, remembers("Pays in euros."), says("Done.")), Memory.objects.count()
    with pytest.raises(StateConflict) as refused:
        fork_run(actor=let_fork(desk.cast.alice), run=run, fork=Fork(run.pk, 2, instructions="Help more."))
    assert refused.value.code == "not_forkable"
    assert Memory.objects.count() == notes


def test_one_that_found_nothing_to_recall_is_forked(desk: Company) -> None:
    run = later(desk, says("Done."))
    desk.play(says("Done, too."))
    made = fork_run(actor=let_fork(desk.cast.alice), run=run, fork=Fork(run.pk, 1, instructions="Help more."))
    assert desk.drive(made).state == "completed"
    assert "memory.recalled" not in desk.kinds(made)
