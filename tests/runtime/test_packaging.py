"""What the project says about itself and what it installs."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from agentops.runtime.bootstrap import DEVELOPMENT_LOCK, RUNTIME_LOCK
from agentops.runtime.supervision import ROOT
from agentops.runtime.testing import SUITES

PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,-]+\])?==(\S+)", re.IGNORECASE | re.MULTILINE)


def project() -> dict[str, Any]:  # TOML is whatever it is
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: str) -> dict[str, str]:
    """Return names and versions of a lock file's text."""
    return {name.lower().replace("_", "-"): version for name, version in PIN.findall(lock)}


@pytest.mark.parametrize("path", [RUNTIME_LOCK, DEVELOPMENT_LOCK], ids=lambda path: path.name)
def test_a_lock_pins_by_hash_and_names_no_address(path: Any) -> None:
    text = path.read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if entry.strip()]

    assert len(entries) > 50
    assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
    assert re.findall(r"://|--index|--find-links|file:|@ ", text) == []


def test_the_development_lock_contains_the_runtime_one() -> None:
    runtime, development = pins(RUNTIME_LOCK.read_text()), pins(DEVELOPMENT_LOCK.read_text())

    assert runtime.items() <= development.items()


@pytest.mark.parametrize(
    ("lock", "requirements"),
    [
        (RUNTIME_LOCK, project()["project"]["dependencies"]),
        (RUNTIME_LOCK, project()["project"]["optional-dependencies"]["embedded"]),
        (DEVELOPMENT_LOCK, project()["dependency-groups"]["dev"]),
    ],
)
def test_what_is_declared_is_locked(lock: Any, requirements: list[str]) -> None:
    names = {re.split(r"[\[<>=;]", requirement)[0].lower() for requirement in requirements}

    assert names <= pins(lock.read_text()).keys()


def test_every_suite_has_a_marker() -> None:
    markers = {line.split(":")[0] for line in project()["tool"]["pytest"]["ini_options"]["markers"]}

    assert markers == {"slow", *SUITES}


def test_the_licence_is_the_declared_one() -> None:
    assert project()["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
