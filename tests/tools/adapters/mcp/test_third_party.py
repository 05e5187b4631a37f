"""Servers that nobody here wrote, started as an operator would have them started."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools.adapters.mcp.calls import SERVER, call_of
from tools.adapters.base import AdapterOptions
from tools.adapters.mcp import McpAdapter
from tools.adapters.mcp.config import Target
from tools.adapters.mcp.definitions import Described, find_faults, tighten_effect
from tools.adapters.mcp.listing import ask_for_tools
from tools.commands import parse_commands
from tools.outcomes import Outcome
from tools.sandbox import probe

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

BESIDE = Path(sys.executable).parent


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a repository with a file that is not committed yet."""
    place = tmp_path_factory.mktemp("repository")
    git = shutil.which("git") or "git"
    for line in (["init", "-q"], ["config", "user.email", "a@b.example"], ["config", "user.name", "Ann"]):
        subprocess.run([git, *line], cwd=place, check=True)
    (place / "note").write_text("a note")
    return place


@pytest.fixture(scope="module")
def commands(repository: Path) -> dict[str, Any]:  # Any: as an operator writes it
    """Provide the servers as an operator would have them started: in a sandbox where this kernel makes one."""
    sandbox = not probe()
    return {
        "time": {"line": [str(BESIDE / "mcp-server-time"), "--local-timezone", "UTC"], "sandbox": sandbox},
        "git": {"line": [str(BESIDE / "mcp-server-git")], "writes": [str(repository)], "sandbox": sandbox},
    }


@pytest.fixture(scope="module")
def adapter(commands: dict[str, Any]) -> Iterator[McpAdapter]:
    made = McpAdapter(AdapterOptions(mcp_commands=tuple(commands.items())))
    yield made
    made.close()


def list_of(command: str, commands: dict[str, Any]) -> dict[str, Described]:
    """Return what a server has, by name."""
    target = Target(str(SERVER), command=command)
    return {tool.name: tool for tool in ask_for_tools(target, [], parse_commands(commands), within_s=120)}


def use(adapter: McpAdapter, command: str, tool: Described, **arguments: Any) -> Outcome:  # Any: JSON
    """Call a tool as it is described."""
    config = {"server": str(SERVER), "command": command, "tool": tool.name, "digest": tool.digest}
    call = call_of(config, arguments, "reversible", output_schema=tool.output_schema)
    return adapter.invoke(call, timeout_s=120)


def test_the_time_of_mcp_server_time(adapter: McpAdapter, commands: dict[str, Any]) -> None:
    tools = list_of("time", commands)
    assert all(find_faults(tool) == [] for tool in tools.values())
    asked = {"source_timezone": "Europe/Berlin", "time": "12:00", "target_timezone": "Asia/Tokyo"}

    outcome = use(adapter, "time", tools["convert_time"], **asked)

    assert outcome.status == "succeeded", outcome
    assert "Asia/Tokyo" in str(outcome.value)
    refused = use(adapter, "time", tools["convert_time"], **{**asked, "source_timezone": "Nowhere"})
    assert refused.status == "unknown"  # it words a refusal as an error, and nobody has said that it is none


def test_a_commit_of_mcp_server_git(adapter: McpAdapter, commands: dict[str, Any], repository: Path) -> None:
    tools = list_of("git", commands)
    assert tighten_effect("read", tools["git_reset"].annotations) == "irreversible"

    for name, more in (("git_add", {"files": ["note"]}), ("git_commit", {"message": "Note it"})):
        outcome = use(adapter, "git", tools[name], repo_path=str(repository), **more)
        assert outcome.status == "succeeded", outcome

    log = subprocess.run(
        [shutil.which("git") or "git", "log", "--format=%s"],
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
    )
    assert log.stdout == "Note it\n"
