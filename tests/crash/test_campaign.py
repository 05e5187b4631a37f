"""Campaigns as the command line runs them, and against workers that lack a safeguard."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agentops.runtime.supervision import ROOT
from runs.chaos.campaign import Plan, Result, run_campaign
from tests.crash.arenas import open_arena

pytestmark = pytest.mark.crash


def run_chaos(*arguments: str) -> dict[str, Any]:  # Any: JSON
    """Run the command, which must succeed, and return what it prints."""
    argv = [sys.executable, "manage.py", "chaos", "--json", *arguments]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_everything_is_accounted_for(found: dict[str, Any], kills: int) -> None:
    assert sum(found["kills"].values()) == kills
    assert found["runs_started"] == found["runs_ended"] > 0
    assert found["effects_seen"] == found["effects_expected"] + found["parked_effects"] > 0
    offences = ("duplicates", "lost", "unrecorded", "unordered", "stale_writes")
    assert [found[name] for name in offences] == [0] * len(offences)
    honouring = found["servers"]["credit"]
    assert honouring["effects_seen"] == honouring["effects_expected"] > 0
    assert honouring["parked"] == 0
    assert found["ledger_ok"]
    assert found["budgets_ok"]
    assert found["problems"] == []


@pytest.mark.slow
def test_a_short_campaign_accounts_for_every_effect() -> None:
    assert_everything_is_accounted_for(run_chaos("--kills", "3", "--seed", "1"), 3)


@pytest.mark.parametrize("arguments", [("--kills", "0"), ("--kills", "many"), ("--only", "the cat")])
def test_a_campaign_of_nothing_is_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=arguments[1]):
        call_command("chaos", *arguments)


@pytest.mark.slow
def test_a_long_campaign_accounts_for_every_effect() -> None:
    found = run_chaos("--kills", "50")

    assert_everything_is_accounted_for(found, 50)
    # Of 50 kills 20 catch a worker in the middle of an effect, at one server after another, so at least 6 of them
    # here; no more than 5 of all let it live. Nobody can be asked what became of the effects of the others.
    assert found["servers"]["post"]["parked"] > 0


@pytest.mark.slow
def test_killing_the_database_loses_nothing_either() -> None:
    assert_everything_is_accounted_for(run_chaos("--kills", "2", "--only", "postgres"), 2)


def run_mutant(name: str, plan: Plan) -> Result:
    """Run a campaign against workers that lack a safeguard."""
    with open_arena(
        celery=(sys.executable, "-m", "tests.crash.mutant_worker", name, "--quiet", "-A", "config")
    ) as arena:
        return run_campaign(arena, plan)


@pytest.mark.slow
def test_without_recorded_starts_the_campaign_fails() -> None:
    kinds = ("worker_after_effect",)
    result = run_mutant("forget_starts", Plan(kills=3, seed=1, kinds=kinds, tools=("post",), settle_s=60))

    assert not result.ok
    assert result.duplicates > 0, result


@pytest.mark.slow
def test_without_the_fence_the_campaign_fails() -> None:
    kinds = ("worker_paused_in_effect",)
    result = run_mutant("open_the_fence", Plan(kills=4, seed=1, kinds=kinds, tools=("credit",), settle_s=20))

    assert not result.ok
    assert result.stale_writes > 0, result


@pytest.mark.slow
def test_parking_what_could_be_repeated_fails_the_campaign() -> None:
    kinds = ("worker_after_effect",)
    result = run_mutant(
        "park_every_doubt", Plan(kills=1, seed=1, kinds=kinds, tools=("credit",), settle_s=60)
    )

    assert not result.ok
    assert result.servers["credit"]["parked"] > 0, result
    assert any(problem.startswith("credit: parked: ") for problem in result.problems)
