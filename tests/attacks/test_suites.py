"""The suites are honest: what their tasks say can be done with their tools, and attacks name what there is."""

from __future__ import annotations

import pytest

from runs.attacks import Suite, check_suite
from tests.attacks.suites import SUITES


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
