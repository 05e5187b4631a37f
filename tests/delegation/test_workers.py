"""Supervisors and their children on real workers, which are killed in the middle: each child once, each effect once."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from itertools import product
from typing import Any

import pytest

from runs.chaos.trap import Side, Verdict
from runs.models import Run
from tests.runs.company import proposes, says
from tests.runs.delegation.conftest import House
from tests.runs.planner.provider import Conversation
from tests.undo.desk import Desk

pytestmark = [pytest.mark.delegation, pytest.mark.slow]

# What a killed worker had reserved stays spent, and its time counts until its lease is over: no number of kills, and
# no machine's speed, may halt a child.
WORKING_S = 3_600
SHARE = {"steps": 20, "tokens": 200_000, "usd": "2.00", "seconds": WORKING_S}
CEILINGS: dict[str, Any] = {
    "max_steps": 100,
    "max_tokens": 1_000_000,
    "max_usd": "10.00",
    "max_seconds": 2 * WORKING_S,
}
POINTS: list[tuple[Side, Verdict]] = list(product(("before", "after"), ("go", "drop")))
MOST_KILLS = 6


def prepare(desk: Desk, children: int, **config: Any) -> House:
    """Let supervisors give so many tasks at once, each of which comes to one effect."""
    house, company = House(desk.company), desk.company
    made = [version for version in company.versions if version.tool.name == "make_keep"]
    company.versions.clear()
    house.hire("clerk", *made, **CEILINGS)
    house.add_delegation("clerk", share=SHARE, **config)

    def answer(conversation: Conversation) -> None:
        messages = conversation.asked.body["messages"]
        done, said = sum(message["role"] == "assistant" for message in messages), messages[1]["content"]
        if said.startswith("A task from"):
            topic = json.loads(said.partition("\n\n")[2])["topic"]
            turns = [proposes(("make_keep", {"effect": topic})), says(f"{topic} is done.")]
        else:
            tasks = [("ask_clerk", {"topic": f"{said}-{number}"}) for number in range(children)]
            turns = [proposes(*tasks), says("Done.")]
        turns[min(done, 1)](conversation)

    company.play(answer)
    company.publish(**CEILINGS)
    return house


def effects(desk: Desk) -> Counter[str]:
    return Counter(name for _, name in desk.happened())


def test_workers_are_killed_all_the_time_and_each_task_is_done_once(desk: Desk) -> None:
    house = prepare(desk, 3)
    desk.work(2)
    roots = [desk.company.start(f"root{number}") for number in range(4)]
    kills, dice = 0, random.Random(7)
    while kills < MOST_KILLS and Run.objects.filter(ended_at=None).exists():
        going = list(Run.objects.filter(ended_at=None))
        kills += bool(going) and desk.kill_driver_of(dice.choice(going))
        time.sleep(0.4)
    for root in roots:
        desk.ended(root, "completed")
    assert kills >= 2, "nobody was killed"
    for number, root in enumerate(roots):
        children = house.children(root)
        assert [child.state for child in children] == ["completed"] * 3, [
            child.status_reason for child in children
        ]
        assert desk.company.states(root) == [("succeeded", "ok")] * 3
        assert {name for name in effects(desk) if name.startswith(f"root{number}-")} == {
            f"root{number}-{task}" for task in range(3)
        }
    assert set(effects(desk).values()) == {1}, desk.log()


@pytest.mark.parametrize(("side", "verdict"), POINTS)
def test_a_childs_worker_dies_on_either_side_of_its_effect_and_the_parent_hears_of_one(
    desk: Desk, side: Side, verdict: Verdict
) -> None:
    house = prepare(desk, 1)
    desk.work(2)
    root = desk.company.start("root")
    with desk.held("keep", side, verdict):
        (child,) = house.children(root)
        assert desk.kill_driver_of(child)
    desk.ended(root, "completed")
    assert desk.company.states(root) == [("succeeded", "ok")]
    assert effects(desk) == {"root-0": 1}, desk.log()
    assert len(house.children(root)) == 1


def test_a_waiting_parent_holds_no_worker_and_first_success_ends_the_wait(desk: Desk) -> None:
    house = prepare(desk, 3, join={"policy": "first_success"})
    desk.work(1)
    root = desk.company.start("root")
    with desk.held("keep", "before"):
        root.refresh_from_db()
        desk.wait(lambda: Run.objects.get(pk=root.pk).lease_until is None, "the parent is driven")
    desk.ended(root, "completed")
    states = Counter(state for state, _ in desk.company.states(root))
    assert states["succeeded"] >= 1
    assert {child.state for child in house.children(root)} <= {"completed", "cancelled"}
    assert max(effects(desk).values()) == 1
