"""What is said and what fails when the locked dependencies are audited."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from agentops.runtime.audit import find_problems, tell_unaudited

TODAY = date(2026, 11, 28)
HOLE = {"id": "PYSEC-1", "aliases": ["GHSA-1"], "fix_versions": ["1.1"]}
SOUND, BAD = {"name": "a", "version": "1", "vulns": []}, {"name": "b", "version": "1.0", "vulns": [HOLE]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("dependencies", "said"),
    [
        ([SOUND, BAD], ["audited 2 of 2 dependencies"]),
        ([SOUND, UNKNOWN], ["audited 1 of 2 dependencies", "NOT AUDITED: c"]),
        ([UNKNOWN], ["NOT AUDITED: the advisory service knew none of 1 dependencies; it cannot be reached."]),
        ([], ["NOT AUDITED: the advisory service knew none of 0 dependencies; it cannot be reached."]),
    ],
)
def test_what_was_not_looked_at_is_not_passed_over(dependencies: list[Any], said: list[str]) -> None:
    assert list(tell_unaudited({"dependencies": dependencies})) == said


@pytest.mark.parametrize(
    ("allowed", "fails"),
    [
        ({}, True),
        ({"GHSA-1": {"reason": "not used", "until": TODAY}}, False),
        ({"PYSEC-1": {"reason": "not used", "until": date(2026, 11, 27)}}, True),
        ({"PYSEC-1": {"reason": " ", "until": TODAY}}, True),
        ({"PYSEC-2": {"reason": "not used", "until": TODAY}}, True),
    ],
)
def test_a_vulnerability_fails_until_somebody_says_why_not(allowed: dict[str, Any], fails: bool) -> None:
    report = {"dependencies": [SOUND, BAD, UNKNOWN]}
    said = ["VULNERABLE: b 1.0: PYSEC-1, fixed in 1.1"] if fails else []
    assert list(find_problems(report, allowed, TODAY)) == said
