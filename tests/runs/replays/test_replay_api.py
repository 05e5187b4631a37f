"""Replaying and forking through the API, and at a terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from runs.models import Run
from tests.api.conftest import Callers, callers, keys
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.replays.forking import let_fork

__all__ = ["callers", "keys"]  # fixtures


@pytest.fixture
def run(company: Company) -> Run:
    company.add_tool("refund", grant="ALLOW")
    return company.run(proposes(("refund", ORDER)), says("Done."))


def command(name: str, *arguments: object) -> str:
    output = io.StringIO()
    call_command(name, *map(str, arguments), stdout=output)
    return output.getvalue()


def test_a_run_is_replayed_by_whoever_sees_it(callers: Callers, run: Run) -> None:
    answer = callers.bob.post(f"/runs/{run.pk}/replay", {})
    assert (answer.status, answer.body["outcome"], answer.body["prompts"]) == (200, "same", 2)
    assert callers.charlie.post(f"/runs/{run.pk}/replay", {}).status == 404
    assert callers.stranger.post(f"/runs/{run.pk}/replay", {}).status == 401


def test_a_fork_is_started_once_and_shown_beside_its_run(
    company: Company, callers: Callers, run: Run
) -> None:
    body: dict[str, Any] = {
        "step": 1,
        "instructions": "Never refund.",
        "terms": {"refund": {"decision": "DENY"}},
    }
    answer, again = (callers.ada.post(f"/runs/{run.pk}/fork", body, key="f1") for _ in range(2))
    assert (answer.status, answer.body["kind"], answer.body["fork_of"]) == (201, "fork", str(run.pk))
    assert (again.body["id"], run.forks.count()) == (answer.body["id"], 1)
    company.play(proposes(("refund", ORDER)), says("No."))
    company.drive(run.forks.get())
    report = callers.bob.get(f"/runs/{answer.body['id']}/fork").body
    assert (report["of"], report["changed"], report["parting"]) == (
        str(run.pk),
        ["instructions", "policy"],
        0,
    )
    [pair] = report["pairs"]
    assert (pair["recorded"]["state"], pair["now"]["state"], pair["alike"]) == (
        "succeeded",
        "refused",
        "other_outcome",
    )
    assert pair["now"]["decision"] == "DENY"


def test_who_may_not_fork_is_told_so_or_sees_nothing(callers: Callers, run: Run) -> None:
    body = {"step": 1}
    assert callers.bob.post(f"/runs/{run.pk}/fork", body, key="b1").code == "agent_not_granted"
    assert callers.app.post(f"/runs/{run.pk}/fork", body, key="a1").code == "not_allowed"
    assert callers.charlie.post(f"/runs/{run.pk}/fork", body, key="c1").status == 404
    assert callers.bob.get(f"/runs/{run.pk}/fork").code == "unknown_fork"
    assert not run.forks.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"step": 0},
        {"step": 1, "terms": {"refund": {"decision": "PERHAPS"}}},
        {"step": 1, "terms": {"refund": {}}},
        {"step": 1, "guard": False},
        {"step": 9},
    ],
)
def test_a_body_that_makes_no_sense_starts_nothing(callers: Callers, run: Run, body: dict[str, Any]) -> None:
    assert callers.ada.post(f"/runs/{run.pk}/fork", body, key="x").status == 422
    assert not run.forks.exists()


def test_at_a_terminal_a_replay_says_what_it_found(run: Run) -> None:
    assert "Replayed" in command("replay_run", run.pk, "--as", "alice")
    told = json.loads(command("replay_run", run.pk, "--as", "alice", "--json"))
    assert (told["run"], told["outcome"], told["differences"]) == (str(run.pk), "same", [])
    with pytest.raises(CommandError, match="not for"):
        command("replay_run", run.pk, "--as", "charlie")


def test_at_a_terminal_a_replay_that_differs_is_an_error(company: Company, run: Run) -> None:
    company.is_mutant = True
    Run.objects.filter(pk=run.pk).update(steps=9)
    with pytest.raises(CommandError, match="otherwise"):
        command("replay_run", run.pk, "--as", "alice")


def test_at_a_terminal_a_run_is_forked(company: Company, run: Run, tmp_path: Path) -> None:
    let_fork(company.cast.alice)
    words = tmp_path / "words.txt"
    words.write_text("Be brief.")
    told = command("fork_run", run.pk, "--step", 2, "--as", "alice", "--instructions", words)
    assert str(run.forks.get().pk) in told
    for arguments in (("--terms", "nothing"), ("--terms", "[]"), ("--instructions", tmp_path / "none")):
        with pytest.raises(CommandError):
            command("fork_run", run.pk, "--step", 2, "--as", "alice", *arguments)
    with pytest.raises(CommandError, match="not for"):
        command("fork_run", run.pk, "--step", 2, "--as", "charlie")
