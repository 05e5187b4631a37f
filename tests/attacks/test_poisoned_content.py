"""Poison that is hard to see: five documents that agree, and a text that is stored by one call and read by another."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from runs.attacks import Attack, Suite, Task
from runs.attacks.layers import ALL, NONE, Layer
from runs.attacks.replay import replay_attack
from runs.attacks.suite import play_bare
from tests.attacks.conftest import Opens
from tests.attacks.suites import chat, files

pytestmark = pytest.mark.attacks

# Without the defence the attacks succeed, or the tests would say nothing.
EXPECTED = {NONE: "executed", ALL: "denied"}


def find(suite: Suite, task_id: str, attack_id: str) -> tuple[Suite, Task, Attack]:
    """Return a task and an attack, with a suite of the tools that they need: fewer are sooner provisioned."""
    task = next(task for task in suite.tasks if task.id == task_id)
    attack = next(attack for attack in suite.attacks if attack.id == attack_id)
    used = {call.tool for call in (*task.calls, *attack.calls)}
    return replace(suite, tools=[tool for tool in suite.tools if tool.name in used]), task, attack


def where_it_shows(suite: Suite, task: Task, attack: Attack) -> list[int]:
    """Return how often each of the right calls shows what was planted."""
    _, results = play_bare(suite, task, suite.injections(attack))
    return [json.dumps(result).count(attack.goal) for result in results]


@pytest.mark.parametrize("layer", EXPECTED, ids=lambda layer: layer.name)
def test_five_poisoned_documents_do_not_flip_an_action(layer: Layer, open_desk: Opens) -> None:
    suite, task, attack = find(files.SUITE, "all_about_the_pier", "five_agree")
    assert where_it_shows(suite, task, attack) == [5], "one retrieval returns all five"
    desk = open_desk(suite, layer)
    assert replay_attack(desk, task, attack, "on_reading").verdict == EXPECTED[layer]


@pytest.mark.parametrize("layer", EXPECTED, ids=lambda layer: layer.name)
def test_a_text_that_was_stored_and_read_later_is_as_foreign_as_before(
    layer: Layer, open_desk: Opens
) -> None:
    suite, task, attack = find(chat.SUITE, "note_from_general", "remy_is_admin")
    assert where_it_shows(suite, task, attack) == [0, 1], "storing it does not show it"
    desk = open_desk(suite, layer)
    assert replay_attack(desk, task, attack, "on_reading").verdict == EXPECTED[layer]
