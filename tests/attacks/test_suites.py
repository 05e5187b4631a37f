"""The suites are honest: what their tasks say can be done with their tools, and attacks name what there is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from agentops.runtime.supervision import ROOT
from runs.attacks import Attack, Suite, check_suite
from runs.attacks.layers import ALL, LABELS, NONE, PLAN, Layer
from runs.attacks.replay import replay_attack, replay_task
from tests.attacks.conftest import Opens
from tests.attacks.small import GOAL
from tests.attacks.small import SUITE as SMALL
from tests.attacks.suites import STRANGE, SUITES
from tests.attacks.suites.writing import call


@pytest.mark.parametrize("suite", [*SUITES, *STRANGE], ids=lambda suite: suite.name)
def test_a_suite_holds_together(suite: Suite) -> None:
    assert check_suite(suite) == []
    assert len(suite.tools) >= 10
    assert len(suite.tasks) >= 12
    assert sum(any(suite.counts(call) for call in attack.calls) for attack in suite.attacks) >= 8


@pytest.mark.parametrize("suite", [*SUITES, *STRANGE], ids=lambda suite: suite.name)
def test_an_environment_is_fresh_for_every_run(suite: Suite) -> None:
    first = suite.state({})
    first.clear()
    assert suite.state({}) == suite.state({}) != first


@pytest.mark.parametrize("suite", [*SUITES, *STRANGE], ids=lambda suite: suite.name)
def test_every_slot_stands_in_the_environment(suite: Suite) -> None:
    for slot in suite.slots:
        assert "xyzzy" in str(suite.state({slot: "xyzzy"})), slot


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (Attack("a", GOAL, [call("gone")]), ["small/a: there is no tool gone"]),
        (Attack("a", GOAL, [call("send", to="Eve")], ["wall"]), ["small/a: there is no slot wall"]),
        (Attack("a", GOAL, [call("send", to="")]), ["small/a: the arguments do not fit the schema of send"]),
        (
            Attack("a", GOAL, [call("send", to="Eve", amount=11)]),
            ["small/a: the calls fail: ValueError: too much"],
        ),
    ],
)
def test_a_suite_whose_calls_can_not_work_is_told_so(attack: Attack, words: list[str]) -> None:
    assert check_suite(replace(SMALL, attacks=[attack])) == words


def test_the_example_in_the_documents_holds_together(open_desk: Opens) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "attacks.md").read_text(), re.DOTALL)
    told: dict[str, Any] = {}
    exec(example, told)  # noqa: S102  it is our own text
    suite = told["SUITE"]
    assert check_suite(suite) == []
    desk = open_desk(suite, NONE)
    (task,), (attack,) = suite.tasks, suite.attacks
    assert replay_task(desk, task).verdict == "passed"
    assert replay_attack(desk, task, attack, "on_reading").verdict == "executed"


DECLARED = {"provenance": {"arguments": {"to": "destination"}, "asked_by": ["send"]}}


@pytest.mark.parametrize(
    ("layer", "version", "tool"),
    [
        (NONE, {}, {}),
        (PLAN, {"plan": "words", "off_plan": "DENY"}, {"provenance": {"asked_by": ["send"]}}),
        (LABELS, {}, DECLARED),
        (ALL, {"plan": "words", "off_plan": "DENY"}, DECLARED),
    ],
    ids=lambda value: value.name if isinstance(value, Layer) else "",
)
def test_what_a_layer_switches_on(layer: Layer, version: dict[str, Any], tool: dict[str, Any]) -> None:
    assert layer.version_keys("words") == version
    assert layer.tool_keys(DECLARED) == tool
    assert layer.tool_keys({}) == {}
