"""``agentops up`` from a person's side of the terminal: real processes, signals and a kill -9."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import psutil
import pytest

from agentops.runtime import local_keys, service_urls
from agentops.runtime.bootstrap import OPT_OUT
from agentops.runtime.data_directory import STACK_FILE
from agentops.runtime.ports import LOOPBACK, free_ports
from agentops.runtime.supervision import ROOT
from tests.runtime.process_tree import descendants, still_running

pytestmark = [pytest.mark.slow, pytest.mark.crash]

START_TIMEOUT_S = 180
APPLICATION = {"beat", "planner", "shop", "urgent", "web", "worker"}
# The stack under test brings its own servers; what this run uses would be taken for external ones.
OURS = (*service_urls.NEEDED, "BROKER_URL", *local_keys.NAMES)


class Terminal:
    """A running ``agentops up`` and what it has printed."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.lines: list[str] = []
        self._arrived: Queue[str | None] = Queue()
        self.process = agentops("up", "--port", str(port), "--data", str(data), data=data)
        threading.Thread(target=self._read, daemon=True).start()
        self.family: list[psutil.Process] = []

    def wait_for(self, text: str) -> str:
        """Return the first line with this text; fail with all output if the process ends before it."""
        while (line := self._arrived.get(timeout=START_TIMEOUT_S)) is not None:
            self.lines.append(line)
            if text in line:
                return line
        pytest.fail("\n".join(["ended too early", *self.lines]))

    def wait_until_ready(self) -> str:
        """Return the address once everything runs."""
        address = self.wait_for("ready after").rsplit(" ", 1)[1].removesuffix("/admin/")
        self.family = descendants(self.process.pid)
        return address

    def end(self) -> int:
        """Return the exit code and remember the rest of the output."""
        code = self.process.wait(timeout=START_TIMEOUT_S)
        while (line := self._arrived.get(timeout=START_TIMEOUT_S)) is not None:
            self.lines.append(line)
        return code

    def kill(self) -> None:
        """Kill the supervisor, if it still runs, and wait until nobody of its family is left."""
        self.process.kill()
        self.process.wait()
        assert still_running(self.family, within_s=30) == []

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._arrived.put(line.rstrip("\n"))
        self._arrived.put(None)


def agentops(*arguments: str, data: Path) -> subprocess.Popen[str]:
    """Start a command of the command line in this environment, without touching ``.venv``."""
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    return subprocess.Popen(
        [sys.executable, "-m", "agentops", *arguments],
        cwd=ROOT,
        env=environment | {"AGENTOPS_DATA": str(data), "AGENTOPS_ENV": "development", OPT_OUT: "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def answer(*arguments: str, data: Path) -> tuple[int, str]:
    """Run a command to its end; return its exit code and output."""
    command = agentops(*arguments, data=data)
    output, _ = command.communicate(timeout=START_TIMEOUT_S)
    return command.returncode, output


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """Keep one data directory for the module: later starts find what the first one made."""
    with tempfile.TemporaryDirectory(prefix="agentops-test-") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "data"


@pytest.fixture
def terminal(data: Path) -> Iterator[Terminal]:
    """Run ``up``; whatever a test leaves is killed."""
    terminal = Terminal(data, free_ports(1)[0])
    yield terminal
    terminal.kill()


def test_a_whole_day_in_short(data: Path) -> None:
    with socket.socket() as busy:
        busy.bind((LOOPBACK, 0))
        busy.listen()
        port = busy.getsockname()[1]
        terminal = Terminal(data, port)
        terminal.wait_for(f"port {port} is busy, taking")
        address = terminal.wait_until_ready()
    try:
        with urllib.request.urlopen(f"{address}/healthz", timeout=30) as response:  # noqa: S310 - our own
            assert response.status == 200
        assert stat.S_IMODE((data / STACK_FILE).stat().st_mode) == 0o600

        code, output = answer("up", data=data)
        assert code == 1
        assert f"in use by `agentops up`, process {terminal.process.pid}, serving {address}" in output

        script = "import os; print(*(os.environ[f'{name}_URL'] for name in ('DEMO_SHOP', 'DATABASE', 'DEMO_CONSOLE')))"
        code, output = answer("manage", "shell", "--no-imports", "-c", script, data=data)
        environment = json.loads((data / STACK_FILE).read_text())["environment"]
        assert code == 0
        assert output.split() == [environment["DEMO_SHOP_URL"], environment["DATABASE_URL"], address]

        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 0
        assert terminal.lines[-1].endswith("everything has stopped")
        assert still_running(terminal.family, within_s=5) == []
        assert not (data / STACK_FILE).exists()
    finally:
        terminal.kill()


def test_the_ledger_can_be_verified_while_nothing_runs(data: Path) -> None:
    code, output = answer("verify", data=data)

    assert code == 0, output


@pytest.mark.parametrize("victim", ["celery", "postgres", "agentops.demo.shop"])
def test_a_dead_process_stops_the_stack_and_is_named(terminal: Terminal, victim: str) -> None:
    terminal.wait_until_ready()
    leaders = [process for process in terminal.family if os.getpgid(process.pid) == process.pid]

    next(process for process in leaders if victim in " ".join(process.cmdline())).kill()

    assert terminal.end() == 1
    name = {"celery": "worker", "agentops.demo.shop": "shop"}.get(victim, victim)
    assert any(f"{name} was killed by SIGKILL: stopping everything" in line for line in terminal.lines)


def test_a_kill_9_of_the_supervisor_leaves_nothing(terminal: Terminal) -> None:
    terminal.wait_until_ready()
    assert len(terminal.family) > len(APPLICATION)

    terminal.process.kill()

    assert still_running(terminal.family, within_s=5) == []


def test_a_stop_while_starting_is_orderly(terminal: Terminal) -> None:
    terminal.wait_for("preparing the database")
    terminal.family = descendants(terminal.process.pid)

    terminal.process.send_signal(signal.SIGTERM)

    assert terminal.end() == 130
    assert terminal.lines[-1].endswith("everything has stopped")
