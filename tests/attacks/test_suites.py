"""The suites are honest: what their tasks say can be done with their tools, and attacks name what there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runs.attacks import Attack, Suite, check_suite
from tests.attacks.small import GOAL
from tests.attacks.small import SUITE as SMALL
from tests.attacks.suites import SUITES
from tests.attacks.suites.writing import call


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_suite_holds_together(suite: Suite) -> None:
    assert check_suite(suite) == []
    assert len(suite.tools) >= 10
    assert len(suite.tasks) >= 12
    assert sum(any(suite.counts(call) for call in attack.calls) for attack in suite.attacks) >= 8


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_an_environment_is_fresh_for_every_run(suite: Suite) -> None:
    first = suite.state({})
    first.clear()
    assert suite.state({}) == suite.state({}) != first


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
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
