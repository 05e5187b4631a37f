"""A server that dies under a call, of somebody else's making: what became of the call, and of the next one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.runs.gateway.npm import start_by_node
from tests.runs.gateway.test_everything import everything, free_port, running
from tests.tools.adapters.mcp.calls import SERVER, call_of
from tools.adapters.base import AdapterOptions
from tools.adapters.mcp import McpAdapter
from tools.adapters.mcp.config import Target
from tools.adapters.mcp.definitions import Described
from tools.adapters.mcp.listing import ask_for_tools
from tools.calls import Call
from tools.commands import parse_commands
from tools.outcomes import Outcome

__all__ = ["everything"]  # a fixture

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

LONG = {"duration": 30, "steps": 300}
SLOW, QUICK = "trigger-long-running-operation", "echo"


class Reached:
    """The server at a place, its tools as they were accepted, and an adapter that is used again and again."""

    def __init__(self, adapter: McpAdapter, place: dict[str, Any], commands: dict[str, Any]) -> None:
        self.adapter, self.place = adapter, {"server": str(SERVER), **place}
        target = Target(**self.place)
        self.tools: dict[str, Described] = {
            tool.name: tool for tool in ask_for_tools(target, [], parse_commands(commands), within_s=60)
        }

    def call(self, name: str, arguments: dict[str, Any], effect: str) -> Call:
        config = {**self.place, "tool": name, "digest": self.tools[name].digest}
        return call_of(config, arguments, effect)

    def echo(self) -> Outcome:
        return self.adapter.invoke(self.call(QUICK, {"message": "Hello"}, "read"), timeout_s=60)

    def die_under(self, kill: Callable[[], None], effect: str) -> Outcome:
        """Make a long call, let the server be killed in the middle of it, and return what became of the call."""
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(self.adapter.invoke, self.call(SLOW, LONG, effect), timeout_s=60)
            time.sleep(2.0)
            assert not answer.done()
            kill()
            return answer.result(30)


@pytest.fixture
def started(everything: Path) -> Iterator[Reached]:
    commands = {"everything": start_by_node(everything)}
    adapter = McpAdapter(AdapterOptions(mcp_commands=tuple(commands.items())))
    yield Reached(adapter, {"command": "everything"}, commands)
    adapter.close()


def processes_of(script: Path) -> list[int]:
    """Return who runs a script by now."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            line = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if str(script).encode() in line and b"-I" not in line:
            found.append(int(place.name))
    return found


@pytest.mark.parametrize(("effect", "status"), [("read", "failed"), ("irreversible", "unknown")])
def test_a_started_server_is_killed_in_the_middle_of_a_call(
    started: Reached, everything: Path, effect: str, status: str
) -> None:
    def kill() -> None:
        [pid] = processes_of(everything)
        os.kill(pid, signal.SIGKILL)

    began = time.monotonic()
    outcome = started.die_under(kill, effect)
    assert (outcome.status, outcome.counts_against_breaker) == (status, True), outcome
    assert time.monotonic() - began < 20, "nobody waits for the dead"
    assert started.echo().status == "succeeded", "the next call starts it anew"
    assert processes_of(everything) == []


@pytest.mark.parametrize(("effect", "status"), [("read", "failed"), ("irreversible", "unknown")])
def test_a_server_at_an_address_is_killed_and_comes_back(everything: Path, effect: str, status: str) -> None:
    port, adapter = free_port(), McpAdapter(AdapterOptions())
    with running(everything, port) as url:
        reached = Reached(adapter, {"url": url, "allow_private": True}, {})
        assert reached.echo().status == "succeeded"
        [pid] = processes_of(everything)
        outcome = reached.die_under(lambda: os.kill(pid, signal.SIGKILL), effect)
        assert (outcome.status, outcome.code, outcome.retryable) == (status, "connection_lost", True), outcome
    gone = reached.echo()
    assert (gone.status, gone.code, gone.retryable) == ("failed", "unreachable", True), "it had no effect"
    with running(everything, port):
        assert reached.echo().status == "succeeded", "no connection of before is in the way"
    adapter.close()


def test_a_dead_server_harms_no_call_of_another(everything: Path, started: Reached) -> None:
    port = free_port()
    with running(everything, port) as url:
        doomed = Reached(started.adapter, {"url": url, "allow_private": True}, {})
        doomed.place["server"] = str(UUID(int=11))
        [pid] = processes_of(everything)
        with ThreadPoolExecutor(4) as threads:
            call = doomed.call(SLOW, LONG, "read")
            lost = [threads.submit(started.adapter.invoke, call, timeout_s=60) for _ in range(3)]
            time.sleep(2.0)
            os.kill(pid, signal.SIGKILL)
            assert started.echo().status == "succeeded"
            assert [each.result(30).status for each in lost] == ["failed"] * 3
