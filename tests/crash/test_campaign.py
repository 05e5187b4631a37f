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
    assert (found["duplicates"], found["lost"], found["unrecorded"], found["stale_writes"]) == (0, 0, 0, 0)
    assert found["ledger_ok"]
    assert found["budgets_ok"]
    assert found["problems"] == []


def test_a_short_campaign_accounts_for_every_effect() -> None:
    assert_everything_is_accounted_for(run_chaos("--kills", "3", "--seed", "1"), 3)


@pytest.mark.parametrize("arguments", [("--kills", "0"), ("--kills", "many"), ("--only", "the cat")])
def test_a_campaign_of_nothing_is_refused(arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=arguments[1]):
        call_command("chaos", *arguments)


@pytest.mark.slow
def test_a_long_campaign_accounts_for_every_effect() -> None:
    assert_everything_is_accounted_for(run_chaos("--kills", "50"), 50)


@pytest.mark.slow
def test_killing_the_database_loses_nothing_either() -> None:
    assert_everything_is_accounted_for(run_chaos("--kills", "2", "--only", "postgres"), 2)


def run_mutant(name: str, plan: Plan) -> Result:
    """Run a campaign against workers that lack a safeguard."""
    with open_arena(
        celery=(sys.executable, "-m", "tests.crash.mutants", name, "--quiet", "-A", "config")
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
