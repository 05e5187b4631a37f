"""Servers that are started here: what they know, what becomes of them, and what nobody else made of them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentops import secrecy
from tests.tools.adapters.mcp import started
from tests.tools.adapters.mcp.calls import SERVER, call_of
from tools.adapters.base import AdapterOptions
from tools.adapters.mcp import McpAdapter, stdio
from tools.adapters.mcp.config import Target
from tools.adapters.mcp.listing import ask_for_tools
from tools.calls import Call
from tools.recall import Recall

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

COMMANDS = {
    "shop": (sys.executable, str(Path(started.__file__))),
    "none": ("/nowhere/at/all",),
    "mute": (sys.executable, "-c", "import time; time.sleep(600)"),
}


@pytest.fixture(scope="module")
def digests() -> dict[str, str]:
    found = ask_for_tools(Target(str(SERVER), command="shop"), [], COMMANDS, within_s=60)
    return {tool.name: tool.digest for tool in found}


@pytest.fixture(scope="module")
def adapter() -> Iterator[McpAdapter]:
    made = McpAdapter(AdapterOptions(mcp_commands=tuple(COMMANDS.items())))
    yield made
    made.close()


def call_started(digests: dict[str, str], tool: str, order: str = "A-17", **config: Any) -> Call:
    """Return a call of a tool that has an effect."""
    told = {
        "server": str(SERVER),
        "command": "shop",
        "tool": tool,
        "digest": digests.get(tool, "0" * 64),
        **config,
    }
    return call_of(told, {"order": order} if tool != "environment" else {})


def test_a_server_knows_nothing_of_ours(
    adapter: McpAdapter, digests: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")

    first, second = (adapter.invoke(call_started(digests, "environment"), timeout_s=60) for _ in range(2))

    assert first.status == second.status == "succeeded"
    told: Any = first.value
    assert set(told) - {"LC_CTYPE"} == {
        "PATH", "HOME", "TMPDIR", "LANG", "PYTHONUNBUFFERED", "cwd", "pid", "group",
    }  # fmt: skip
    assert told["cwd"] == told["HOME"] != os.environ.get("HOME")
    assert told["group"] == told["pid"] != second.value["pid"]  # type: ignore[call-overload, index]  # a record
    assert not Path(told["HOME"]).exists()


def test_a_server_reads_of_no_process_of_ours_what_it_was_started_with(
    adapter: McpAdapter, digests: dict[str, str]
) -> None:
    """Our processes and it have the same account, and secrets come to us in the environment."""
    outcome = adapter.invoke(call_started(digests, "pry"), timeout_s=60)
    assert outcome.status == "succeeded", outcome
    assert os.getpid() not in read_by(outcome)


def test_of_an_open_process_it_would_where_it_keeps_its_rights(
    adapter: McpAdapter, digests: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: without either. As root the rights decide, for any other account whether the process is open."""
    launcher = tmp_path / "launcher.py"
    launcher.write_text(stdio.LAUNCHER.read_text().replace("        _give_up_rights()\n", ""))
    monkeypatch.setattr(stdio, "LAUNCHER", launcher)
    ctypes.CDLL(None).prctl(secrecy.PR_SET_DUMPABLE, 1, 0, 0, 0)
    try:
        outcome = adapter.invoke(call_started(digests, "pry"), timeout_s=60)
    finally:
        secrecy.keep_to_itself()
    assert os.getpid() in read_by(outcome)


def read_by(outcome: Any) -> list[int]:  # Any: an outcome, whose value is the tool's
    """Return the processes that it could read."""
    told = outcome.value
    return list(told["result"] if isinstance(told, dict) else told)


@pytest.mark.parametrize(
    ("tool", "timeout_s", "codes"),
    [
        ("die", 60.0, {"server_error", "bad_output"}),
        ("flood", 60.0, {"server_error", "bad_output"}),
        ("wait", 15.0, {"timeout"}),
    ],
)
def test_a_server_that_fails_in_the_middle_leaves_the_effect_in_doubt(
    adapter: McpAdapter, digests: dict[str, str], tmp_path: Path, tool: str, timeout_s: float, codes: set[str]
) -> None:
    noted = tmp_path / "pids"
    outcome = adapter.invoke(call_started(digests, tool, str(noted)), timeout_s=timeout_s)

    assert (outcome.status, outcome.code in codes) == ("unknown", True), outcome
    if tool == "wait":
        assert all(is_gone(int(pid)) for pid in noted.read_text().split())


@pytest.mark.parametrize(("command", "status"), [("none", "failed"), ("mute", "failed"), ("rm", "failed")])
def test_a_server_that_does_not_begin_has_no_effect(adapter: McpAdapter, command: str, status: str) -> None:
    outcome = adapter.invoke(call_started({}, "die", command=command), timeout_s=3)
    assert (outcome.status, outcome.code) == (status, "bad_config" if command == "rm" else "unreachable")


def test_a_call_of_a_started_server_is_called_back(
    adapter: McpAdapter, digests: dict[str, str], tmp_path: Path
) -> None:
    noted, recall = tmp_path / "pids", Recall()
    call = replace(call_started(digests, "wait", str(noted)), recall=recall)

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(adapter.invoke, call, timeout_s=120)
        while not (noted.exists() and noted.read_text()):
            assert not answer.done()
            time.sleep(0.05)
        recall.call_back("run_killed")
        outcome = answer.result(60)

    assert (outcome.status, outcome.code) == ("unknown", "called_back")
    assert all(is_gone(int(pid)) for pid in noted.read_text().split())


def test_a_server_dies_with_its_worker(digests: dict[str, str], tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    script = (
        "from tests.tools.adapters.mcp.test_started import *\n"
        "adapter = McpAdapter(AdapterOptions(mcp_commands=tuple(COMMANDS.items())))\n"
        f"adapter.invoke(call_started({digests!r}, 'wait', {str(noted)!r}), timeout_s=300)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script])
    try:
        while not (noted.exists() and noted.read_text()):
            assert worker.poll() is None
            time.sleep(0.05)
    finally:
        worker.kill()
        worker.wait()
    server, left_behind = (int(pid) for pid in noted.read_text().split())
    try:
        assert is_gone(server)
    finally:
        os.kill(left_behind, 9)


def is_gone(pid: int) -> bool:
    """Wait until a process is gone, or a zombie that nobody has buried."""
    for _ in range(600):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False
