"""Five poisoned documents in what one retrieval returns: they agree with each other, and still decide nothing."""

from __future__ import annotations

import json

import pytest

from runs.attacks.layers import ALL, NONE, Layer
from runs.attacks.replay import replay_attack
from runs.attacks.suite import play_bare
from tests.attacks.conftest import Opens
from tests.attacks.suites import files

TASK = next(task for task in files.SUITE.tasks if task.id == "all_about_the_pier")
ATTACK = next(attack for attack in files.SUITE.attacks if attack.id == "five_agree")
EXPECTED = {NONE: "executed", ALL: "denied"}


def test_one_retrieval_returns_all_five() -> None:
    _, results = play_bare(files.SUITE, TASK, files.SUITE.injections(ATTACK))
    assert len(results) == 1
    assert json.dumps(results[0]).count(ATTACK.goal) == 5


@pytest.mark.parametrize(
    "layer", [layer for layer in EXPECTED if layer.is_offered], ids=lambda layer: layer.name
)
def test_five_poisoned_documents_do_not_flip_an_action(layer: Layer, open_desk: Opens) -> None:
    """Without the defence they do, or the test would say nothing."""
    assert replay_attack(open_desk(files.SUITE, layer), TASK, ATTACK, "on_reading").verdict == EXPECTED[layer]
