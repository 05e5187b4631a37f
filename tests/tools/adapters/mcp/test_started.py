"""Servers that are started here: what they know, what becomes of them, and what nobody else made of them."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentops import secrecy
from tests.tools.adapters.mcp import started
from tests.tools.adapters.mcp.calls import SERVER, call_of
from tools import sandbox
from tools.adapters.base import AdapterOptions
from tools.adapters.mcp import McpAdapter
from tools.adapters.mcp.config import Target
from tools.adapters.mcp.listing import ask_for_tools
from tools.calls import Call
from tools.commands import parse_commands
from tools.recall import Recall
from tools.sandbox import probe

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

# Our own id marks what was started for this module: inside, ids are others.
SHOP = (sys.executable, str(Path(started.__file__)), f"--of={os.getpid()}")
COMMANDS: dict[str, Any] = {  # Any: as an operator writes it
    "shop": SHOP,
    "none": {"line": ("/nowhere/at/all",), "sandbox": not probe()},
    "mute": {"line": (sys.executable, "-c", "import time; time.sleep(600)"), "sandbox": not probe()},
    "bare": {"line": SHOP, "sandbox": False},
}
NEEDS_ROOM = pytest.mark.skipif(bool(probe()), reason="this kernel lets nobody make a sandbox")
WAYS = ["bare", pytest.param("shop", marks=NEEDS_ROOM)]


@pytest.fixture(scope="module")
def digests() -> dict[str, str]:
    found = ask_for_tools(Target(str(SERVER), command="bare"), [], parse_commands(COMMANDS), within_s=60)
    return {tool.name: tool.digest for tool in found}


@pytest.fixture(scope="module")
def adapter(place: Path) -> Iterator[McpAdapter]:
    made = adapter_of(place)
    yield made
    made.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the folder that a server in a sandbox may write in."""
    return tmp_path_factory.mktemp("place")


def adapter_of(place: Path) -> McpAdapter:
    """Return an adapter that starts the server with and without a sandbox."""
    told = {**COMMANDS, "shop": {"line": SHOP, "writes": [str(place)]}}
    return McpAdapter(AdapterOptions(mcp_commands=tuple(told.items())))


def call_started(digests: dict[str, str], tool: str, order: str = "A-17", **config: Any) -> Call:
    """Return a call of a tool that has an effect."""
    told = {
        "server": str(SERVER),
        "command": "bare",
        "tool": tool,
        "digest": digests.get(tool, "0" * 64),
        **config,
    }
    return call_of(told, {"order": order} if tool != "environment" else {})


@pytest.mark.parametrize("command", WAYS)
def test_a_server_knows_nothing_of_ours(
    adapter: McpAdapter, digests: dict[str, str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("SECRET_KEY", "canary")
    call = call_started(digests, "environment", command=command)

    first, second = (adapter.invoke(call, timeout_s=60) for _ in range(2))

    assert first.status == second.status == "succeeded"
    told: Any = first.value
    assert set(told) - {"LC_CTYPE"} == {
        "PATH", "HOME", "TMPDIR", "LANG", "PYTHONUNBUFFERED", "cwd", "pid", "group",
    }  # fmt: skip
    assert told["cwd"] == told["HOME"] != os.environ.get("HOME")
    if command == "bare":
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
    change_launcher(monkeypatch, tmp_path, "        _give_up_rights()\n", "        pass\n")
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


def change_launcher(monkeypatch: pytest.MonkeyPatch, folder: Path, line: str, instead: str) -> None:
    """Start servers by a launcher that is changed in one place: a mutant."""
    source = sandbox.LAUNCHER.read_text()
    assert source.count(line) == 1
    changed = folder / "launcher.py"
    changed.write_text(source.replace(line, instead))
    monkeypatch.setattr(sandbox, "LAUNCHER", changed)


@pytest.mark.parametrize("command", WAYS)
@pytest.mark.parametrize(
    ("tool", "timeout_s", "codes"),
    [
        ("die", 60.0, {"server_error", "bad_output"}),
        ("flood", 60.0, {"server_error", "bad_output"}),
        ("wait", 15.0, {"timeout"}),
    ],
)
def test_a_server_that_fails_in_the_middle_leaves_the_effect_in_doubt(
    adapter: McpAdapter,
    digests: dict[str, str],
    place: Path,
    tool: str,
    timeout_s: float,
    codes: set[str],
    command: str,
) -> None:
    noted = place / f"{tool}-{command}"
    outcome = adapter.invoke(call_started(digests, tool, str(noted), command=command), timeout_s=timeout_s)

    assert (outcome.status, outcome.code in codes) == ("unknown", True), outcome
    if tool == "wait":
        assert noted.exists()
        assert is_gone(str(noted))
    assert is_gone(SHOP[-1])


@pytest.mark.parametrize(("command", "status"), [("none", "failed"), ("mute", "failed"), ("rm", "failed")])
def test_a_server_that_does_not_begin_has_no_effect(adapter: McpAdapter, command: str, status: str) -> None:
    outcome = adapter.invoke(call_started({}, "die", command=command), timeout_s=3)
    assert (outcome.status, outcome.code) == (status, "bad_config" if command == "rm" else "unreachable")


@pytest.mark.parametrize("command", WAYS)
def test_a_call_of_a_started_server_is_called_back(
    adapter: McpAdapter, digests: dict[str, str], place: Path, command: str
) -> None:
    noted, recall = place / f"recalled-{command}", Recall()
    call = replace(call_started(digests, "wait", str(noted), command=command), recall=recall)

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(adapter.invoke, call, timeout_s=120)
        while not noted.exists():
            assert not answer.done()
            time.sleep(0.05)
        recall.call_back("run_killed")
        outcome = answer.result(60)

    assert (outcome.status, outcome.code) == ("unknown", "called_back")
    assert is_gone(str(noted))


@pytest.mark.parametrize("command", WAYS)
def test_a_server_dies_with_its_worker(digests: dict[str, str], place: Path, command: str) -> None:
    noted = place / f"orphaned-{command}"
    with worker_waiting(digests, noted, command) as worker:
        worker.kill()
        worker.wait()
    assert is_gone(f"--of={worker.pid}")
    if command == "bare":  # what it has started itself only learns that its input has ended
        [left_behind] = find_processes(str(noted))
        os.kill(left_behind, 9)
    assert is_gone(str(noted))


@contextmanager
def worker_waiting(
    digests: dict[str, str], noted: Path, command: str, tool: str = "wait"
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of ours that calls a tool which never answers; it has begun when the block does."""
    script = (
        "from tests.tools.adapters.mcp.test_started import *\n"
        f"call = call_started({digests!r}, {tool!r}, {str(noted)!r}, command={command!r})\n"
        f"adapter_of(Path({str(noted.parent)!r})).invoke(call, timeout_s=300)\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", script])
    try:
        while not noted.exists():
            assert worker.poll() is None
            time.sleep(0.05)
        yield worker
    finally:
        worker.kill()
        worker.wait()


def find_processes(mark: str) -> list[int]:
    """Return who runs with a mark in what it was started with; a zombie has none any more."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            line = (each / "cmdline").read_bytes()
            found += [int(each.name)] if mark.encode() in line and int(each.name) != os.getpid() else []
    return found


def is_gone(mark: str) -> bool:
    """Wait until nobody with this mark is left."""
    for _ in range(600):
        if not find_processes(mark):
            return True
        time.sleep(0.05)
    return False
