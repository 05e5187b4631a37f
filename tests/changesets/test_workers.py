"""Several agents propose at a time; what is accepted is carried out once, though workers are killed meanwhile."""

from __future__ import annotations

from itertools import product

import pytest

from runs.changesets.reviewing import apply_changes
from runs.chaos.trap import Side, Verdict
from runs.models import ChangeSet, Run, RunMode
from runs.undoing.services import undo_run
from tests.runs.changesets.proposing import comment, review
from tests.runs.company import proposes, says
from tests.runs.planner.provider import Conversation
from tests.undo.desk import Desk

pytestmark = [pytest.mark.changesets, pytest.mark.slow]

PROPOSERS = 6
# One tool honours keys, the other can be asked what became of a call.
ITEMS = [("make_keep", "first"), ("undo_ask", "second"), ("undo_keep", "third")]
POINTS: list[tuple[Side, Verdict]] = list(product(("before", "after"), ("go", "drop")))


def prepare(desk: Desk, workers: int = 2) -> None:
    """Let Fiona review all that agents may propose, and have them propose the items, each under its task's name."""
    for name, _ in ITEMS:
        desk.company.let_decide(desk.tool(name))

    def answer(conversation: Conversation) -> None:
        port = conversation.client_address[1]
        asked = [each for each in desk.company.provider.received if each.client_port == port][-1]
        messages = asked.body["messages"]
        task = messages[1]["content"]
        done = sum(message["role"] == "assistant" for message in messages)
        turns = [proposes((tool, {"effect": f"{task}-{name}"})) for tool, name in ITEMS]
        [*turns, says("Reviewed?")][min(done, len(ITEMS))](conversation)

    desk.company.play(answer)
    desk.company.publish()
    desk.work(workers)


def propose(desk: Desk, *tasks: str) -> list[ChangeSet]:
    """Have an agent propose for each task, all at a time; return what waits for review."""
    runs = [desk.company.start(task, mode=RunMode.PROPOSE) for task in tasks]
    for run in runs:
        desk.waits(run)
    return [ChangeSet.objects.get(run=run) for run in runs]


def apply(desk: Desk, change_set: ChangeSet) -> Run:
    """Have what Fiona approved carried out; she has to, and so does nobody else."""
    apply_changes(actor=desk.company.cast.fiona, change_set=change_set, digest=change_set.digest)
    return Run.objects.get(pk=change_set.pk)


def named(task: str, *names: str) -> list[str]:
    return [f"{task}-{name}" for name in names]


def test_six_agents_propose_at_a_time_and_nothing_is_done_before_it_is_accepted(desk: Desk) -> None:
    prepare(desk)
    tasks = [f"task{number}" for number in range(PROPOSERS)]
    offered = propose(desk, *tasks)
    assert desk.happened() == []
    assert ChangeSet.objects.waiting().count() == PROPOSERS
    for number, change_set in enumerate(offered):
        verdicts = {1: "approve", 2: "deny" if number % 2 else "approve", 3: "approve"}
        assert all(each.is_taken for each in review(desk.company, change_set, verdicts=verdicts))
    for made in [apply(desk, change_set) for change_set in offered]:
        desk.ended(made, "completed")
    for number, task in enumerate(tasks):
        names = ["first", "third"] if number % 2 else ["first", "second", "third"]
        done = [name for _, name in desk.happened() if name.startswith(f"{task}-")]
        assert done == named(task, *names), desk.log()
    for change_set in offered:
        desk.ended(change_set.run, "completed")


@pytest.mark.parametrize(("side", "verdict"), POINTS)
def test_a_worker_dies_on_either_side_of_an_item_and_each_is_carried_out_once(
    desk: Desk, side: Side, verdict: Verdict
) -> None:
    prepare(desk)
    [change_set] = propose(desk, "task")
    review(desk.company, change_set)
    made = apply(desk, change_set)
    for kind in ("keep", "ask", "keep"):  # in the order of the items
        with desk.held(kind, side, verdict):
            assert desk.kill_driver_of(made)
    desk.ended(made, "completed")
    assert [name for _, name in desk.happened()] == named("task", "first", "second", "third"), desk.log()


def test_without_idempotency_keys_the_suite_would_fail(desk: Desk) -> None:
    desk.mutant = "forget_keys"
    prepare(desk)
    [change_set] = propose(desk, "task")
    review(desk.company, change_set, verdicts={1: "approve", 2: "deny", 3: "deny"})
    made = apply(desk, change_set)
    with desk.held("keep", "after"):
        assert desk.kill_driver_of(made)
    desk.ended(made, "completed")
    assert [name for _, name in desk.happened()] == named("task", "first", "first")


def test_another_round_then_only_the_new_version_is_carried_out_and_that_can_be_undone(desk: Desk) -> None:
    prepare(desk, 1)
    [first] = propose(desk, "task")
    comment(desk.company, first)
    desk.wait(lambda: not _is_open(first), "it stays open")
    desk.ended(first.run, "completed")
    assert desk.happened() == []
    [again] = propose(desk, "next")
    review(desk.company, again, verdicts={1: "approve", 2: "deny", 3: "deny"})
    made = desk.ended(apply(desk, again), "completed")
    undone = undo_run(actor=desk.company.cast.ada, run=made, reason="It was a mistake.")
    desk.ended(undone, "completed")
    assert desk.happened() == [("make_keep", "next-first"), ("undo_keep", "next-first")]


def _is_open(change_set: ChangeSet) -> bool:
    change_set.refresh_from_db()
    return change_set.state in ("draft", "offered")
