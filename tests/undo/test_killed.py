"""Workers are killed with SIGKILL in the middle of an undo: each effect is undone once, the latest first."""

from __future__ import annotations

import random
from itertools import product

import pytest

from runs.chaos.trap import Side, Verdict
from runs.models import Run
from runs.services import settle_outcome
from tests.undo.desk import Desk, names

pytestmark = [pytest.mark.undo, pytest.mark.slow]

# What nobody knows the outcome of is undone last: it halts the undo.
EFFECTS = [("blind", "one"), ("mail", "two"), ("ask", "three"), ("keep", "four")]
POINTS: list[tuple[Side, Verdict]] = list(product(("before", "after"), ("go", "drop")))


@pytest.mark.parametrize(("side", "verdict"), POINTS)
def test_a_worker_dies_on_either_side_of_each_compensation(desk: Desk, side: Side, verdict: Verdict) -> None:
    desk.work()
    run = desk.run(*EFFECTS)
    made = desk.undo(run)
    for kind in ("keep", "ask", "blind"):
        with desk.held(kind, side, verdict):
            assert desk.kill_driver_of(made)
    desk.ended(made, "halted")
    assert made.status_reason == "outcome_unknown"
    # What was held before its effect and dropped has not happened, whatever its server is like.
    is_lost = (side, verdict) == ("before", "drop")
    assert desk.undone() == (names(EFFECTS)[:-1] if is_lost else names(EFFECTS))
    four, three, two, one = desk.told(made)
    assert four == "make_keep (step 4): undone by undo_keep"
    assert three == "make_ask (step 3): undone by undo_ask"
    assert two == "make_mail (step 2): not undone: nothing is known that undoes it"
    assert one.startswith("make_blind (step 1): perhaps undone by undo_blind")
    _find_out(desk, made, happened=not is_lost)
    if is_lost:
        desk.ended(desk.undo(run), "completed")
    assert desk.undone() == names(EFFECTS)


def _find_out(desk: Desk, made: Run, *, happened: bool) -> None:
    """Say what a person has found out about the compensation whose outcome nobody knew."""
    ada = desk.company.cast.ada
    settle_outcome(actor=ada, run=made, step=3, call=1, happened=happened, note="I have looked.")


def test_workers_die_between_steps_and_at_random(desk: Desk) -> None:
    """A request is held until its driver is known; that one dies at some moment after it was let go."""
    dice = random.Random(7)
    effects = [("keep", f"effect-{number}") for number in range(12)]
    desk.company.publish(max_steps=50)
    desk.work()
    made, kills = desk.undo(desk.run(*effects)), 0
    while kills < 4 and not desk.is_over(made):
        kills += desk.kill_after(made, "keep", dice.uniform(0, 0.05))
    desk.ended(made, "completed")
    assert kills, desk.log()
    assert desk.undone() == names(effects)


@pytest.mark.parametrize("verdict", ["drop", "break"])
def test_replies_are_lost_and_servers_break_after_the_effect(desk: Desk, verdict: Verdict) -> None:
    desk.work(1)
    made = desk.undo(desk.run(*EFFECTS))
    for kind in ("keep", "ask", "blind"):
        with desk.held(kind, "after", verdict):
            pass
    desk.ended(made, "halted", "completed")
    assert desk.undone() == names(EFFECTS)
    assert [line.partition(":")[0] for line in desk.told(made)] == [
        "make_keep (step 4)", "make_ask (step 3)", "make_mail (step 2)", "make_blind (step 1)",
    ]  # fmt: skip


def test_without_idempotency_keys_the_suite_would_fail(desk: Desk) -> None:
    desk.work(2, mutant="forget_keys")
    run = desk.run(("keep", "one"))
    assert desk.happened(), desk.log()
    made = desk.undo(run)
    with desk.held("keep", "after"):
        assert desk.kill_driver_of(made)
    desk.ended(made, "completed")
    assert desk.undone() == ["one", "one"]
