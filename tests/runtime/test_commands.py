"""Management commands through the command line: which stack they use, and their exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from agentops.runtime import application, commands, service_urls
from agentops.runtime.data_directory import RunningStack, announce, hold
from agentops.runtime.processes import Process, StackError
from agentops.runtime.services import Stack
from agentops.runtime.supervision import ROOT
from tests.rewriting import rewrite


@pytest.fixture
def bare_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands start Django without the platform, which takes seconds and is not what they are asked."""
    (tmp_path / "bare_settings.py").write_text("SECRET_KEY = 'not one'")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "bare_settings")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["check"], 0), (["no-such-command"], 1), (["check", "--no-such-option"], 2)],
)
@pytest.mark.usefixtures("bare_settings")
def test_the_exit_code_is_the_commands(arguments: list[str], expected: int) -> None:
    assert commands.run_manage("manage", arguments, service_urls.PLACEHOLDERS) == expected


def test_a_killed_command_ends_as_in_a_shell(tmp_path: Path) -> None:
    (tmp_path / "killed_settings.py").write_text("import os; os.kill(os.getpid(), 9)")
    variables = {"DJANGO_SETTINGS_MODULE": "killed_settings", "PYTHONPATH": str(tmp_path)}

    assert commands.run_manage("manage", ["check"], variables) == 128 + signal.SIGKILL


@pytest.mark.parametrize("run", [commands.run_command, commands.run_measurement])
@pytest.mark.usefixtures("bare_settings")
def test_help_starts_nothing(
    run: commands.Runner,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AGENTOPS_DATA", str(tmp_path / "data"))

    assert run("check", ["--help"]) == 0

    assert "usage: agentops check" in capfd.readouterr().out
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("bare_settings")
def test_a_running_stack_is_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTOPS_DATA", str(tmp_path))
    environment = {**os.environ, "LANGUAGE_OF_THE_STACK": "spoken"}
    with hold(tmp_path, "up"):
        announce(tmp_path, RunningStack(os.getpid(), "http://127.0.0.1:1", environment))

        script = "import os; print(os.environ['LANGUAGE_OF_THE_STACK'])"
        assert commands.run_command("manage", ["shell", "--no-imports", "-c", script]) == 0

    assert capfd.readouterr().out == "spoken\n"


def test_a_stack_that_is_still_starting_cannot_be_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTOPS_DATA", str(tmp_path))
    with hold(tmp_path, "up"):
        assert commands.run_command("verify", []) == 1

    assert "in use by `agentops up`" in capsys.readouterr().err


def test_a_database_without_its_owner_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTOPS_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_OWNER_URL")

    assert commands.run_command("verify", []) == 1

    assert "set DATABASE_OWNER_URL too" in capsys.readouterr().err


class Rehearsal(Stack):
    """A stack whose processes are called by their names and not started."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, durable=False)
        self.called: list[str] = []

    def launch(
        self, name: str, argv: Sequence[str | Path], **_: Any
    ) -> Process:  # Any: whatever a process takes
        self.called.append(name)
        return cast(Process, None)

    def finish(self, process: Process) -> None:
        """Wait for nothing."""

    def wait_ready(self, ready: Callable[[], bool], process: Process) -> None:
        """Wait for nothing."""


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    with Rehearsal(tmp_path) as stack:
        yield stack


def test_the_demo_has_all_that_a_run_of_it_needs(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    commands.prepare_demo(rehearsal)
    assert rehearsal.called == ["migrate", "load_demo", "shop", "planner", "worker", "beat"]


@pytest.mark.parametrize("prepare", [commands.prepare_demo, commands.prepare_services])
def test_without_that_refusal_the_application_would_migrate_what_it_must_not_own(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Stack], None]
) -> None:
    monkeypatch.delenv("DATABASE_OWNER_URL")
    with pytest.raises(StackError, match="set DATABASE_OWNER_URL too"):
        prepare(rehearsal)
    assert rehearsal.called == []

    rewrite(monkeypatch, application, "start_servers", 'not os.environ.get("DATABASE_OWNER_URL")', "False")
    prepare(rehearsal)
    assert rehearsal.called[0] == "migrate"
    assert "DATABASE_OWNER_URL" not in rehearsal.environment()


@pytest.mark.parametrize(("command", "role"), [("migrate", "owner"), ("check", "application")])
def test_only_migrations_connect_as_the_owner(tmp_path: Path, command: str, role: str) -> None:
    (tmp_path / "shown_settings.py").write_text("import os; raise SystemExit(os.environ['DATABASE_URL'])")
    answer = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "shown_settings",
            "PYTHONPATH": str(tmp_path),
            "DATABASE_URL": "application",
            "DATABASE_OWNER_URL": "owner",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.stderr.strip() == role
