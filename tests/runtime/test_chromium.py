"""How a browser is found or installed, with commands made for it on the path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentops.runtime import testing
from agentops.runtime.bootstrap import BootstrapError
from agentops.runtime.chromium import INSTALL, REMEDY, UPDATE, provide_chromium

ROOT_USER, SOMEBODY = 0, 1000
INSTALLS = 'case $1 in install) : > "$BIN/chromium"; /bin/chmod +x "$BIN/chromium";; esac'
FAILS = "exit 100"
PASSES_ON = 'shift; exec "$@"'  # past -n
CALLS = [" ".join(UPDATE), " ".join(INSTALL)]


class Machine:
    """A machine on which there are only these commands, which note how they were called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setenv("BIN", str(folder))
        self.add("env", 'shift; exec "$@"')  # past the variable
        self.add("true", "exit 0")

    def add(self, name: str, script: str) -> None:
        path = self._folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "$BIN/calls"\n{script}\n')
        path.chmod(0o755)

    def sign_in(self, user: int) -> None:
        self._monkeypatch.setattr(os, "geteuid", lambda: user)

    def calls(self, name: str) -> list[str]:
        noted = self._folder / "calls"
        lines = noted.read_text().splitlines() if noted.exists() else []
        return [line for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Provide a machine without anything of use."""
    return Machine(tmp_path, monkeypatch)


def test_a_browser_that_is_there_is_taken(machine: Machine, tmp_path: Path) -> None:
    machine.add("chromium", "")
    machine.add("apt-get", INSTALLS)

    assert provide_chromium() == str(tmp_path / "chromium")
    assert machine.calls("apt-get") == []


def test_root_installs_it(machine: Machine, tmp_path: Path) -> None:
    machine.sign_in(ROOT_USER)
    machine.add("apt-get", INSTALLS)

    assert provide_chromium() == str(tmp_path / "chromium")
    assert machine.calls("apt-get") == CALLS


def test_whoever_becomes_root_without_a_password_installs_it(machine: Machine, tmp_path: Path) -> None:
    machine.sign_in(SOMEBODY)
    machine.add("apt-get", INSTALLS)
    machine.add("sudo", PASSES_ON)

    assert provide_chromium() == str(tmp_path / "chromium")
    assert machine.calls("apt-get") == CALLS
    assert all(call.startswith("sudo -n ") for call in machine.calls("sudo"))


@pytest.mark.parametrize(
    ("user", "commands"),
    [
        (SOMEBODY, {"apt-get": INSTALLS}),
        (SOMEBODY, {"apt-get": INSTALLS, "sudo": "exit 1"}),
        (ROOT_USER, {"apt-get": FAILS}),
        (ROOT_USER, {}),
    ],
)
def test_where_it_cannot_be_installed_the_command_to_type_is_named(
    machine: Machine, user: int, commands: dict[str, str]
) -> None:
    machine.sign_in(user)
    for name, script in commands.items():
        machine.add(name, script)

    with pytest.raises(BootstrapError) as refusal:
        provide_chromium()
    assert str(refusal.value) == f"Chromium is missing: {REMEDY}"


def test_the_suite_fails_before_it_collects(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.sign_in(SOMEBODY)
    started: list[str] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: started.append(path))
    monkeypatch.setattr(os, "chdir", lambda path: None)

    with pytest.raises(BootstrapError, match="apt-get install"):
        testing.run_tests("browser", [])
    assert started == []
    testing.run_tests("api", [])
    assert len(started) == 1
