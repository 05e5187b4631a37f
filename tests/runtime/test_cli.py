"""The command line as a newcomer meets it: an interpreter without any package, and exit codes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import agentops
from agentops.runtime.cli import COMMANDS
from agentops.runtime.supervision import ROOT


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line isolated from everything that is installed."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "agentops", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_help_names_every_command(flag: str) -> None:
    answer = run(flag)

    assert answer.returncode == 0
    for name, command in COMMANDS.items():
        assert name in answer.stdout
        assert command.summary in answer.stdout


@pytest.mark.parametrize("command", ["up", "test"])
def test_a_command_explains_itself_before_anything_is_installed(command: str) -> None:
    answer = run(command, "--help")

    assert answer.returncode == 0
    assert answer.stdout.startswith(f"usage: agentops {command}")
    assert answer.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "which command?"),
        (["deploy"], "unknown command: deploy"),
        (["up", "--port", "many"], "invalid int value"),
        (["up", "--nonsense"], "unrecognized arguments"),
        (["test", "--suite", "unknown"], "invalid choice"),
    ],
)
def test_a_wrong_call_is_refused_with_the_reason(arguments: list[str], complaint: str) -> None:
    answer = run(*arguments)

    assert answer.returncode == 2
    assert complaint in answer.stderr
    assert answer.stdout == ""


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == f"agentops {agentops.__version__}\n"


def test_the_wrong_python_is_told_so() -> None:
    script = (
        "import sys, runpy; sys.version_info = (3, 10, 1); runpy.run_module('agentops', run_name='__main__')"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert answer.returncode == 1
    assert "needs Python 3.11 or newer" in answer.stderr
