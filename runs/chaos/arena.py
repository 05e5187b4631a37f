"""The processes of a campaign: servers, workers, beat, web, a scripted planner, and the tools' servers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import psycopg

from agentops.runtime import application
from agentops.runtime.application import SCRIPTED_KEY
from agentops.runtime.ports import LOOPBACK, accepts, free_ports
from agentops.runtime.processes import Process
from agentops.runtime.services import Stack
from agentops.runtime.supervision import ROOT
from runs.chaos.effects import Effect, read_effects
from runs.chaos.fencing import install_watch
from runs.chaos.processes import end_processes, find_children

Tool = Literal["credit", "post", "book"]
TOOLS: tuple[Tool, ...] = ("credit", "post", "book")
HONOURS_KEYS: Tool = "credit"  # the others make an effect of every request
WORKERS = 2
GOING = """
SELECT count(*) FROM runs_run WHERE state NOT IN ('completed', 'halted', 'failed', 'cancelled', 'expired')
"""
CONCURRENCY = 16


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that a campaign is run with. Short ones: a crash is noticed when a lease has run out."""

    lease_s: float = 3.0
    slice_s: float = 2.0
    model_delay_s: float = 0.15


class Arena:
    """Everything that runs, and the means to kill any of it.

    ``celery`` is the command that workers are started with, ``pool`` is Celery's.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        timing: Timing | None = None,
        celery: Sequence[str] = application.CELERY,
        pool: str = "threads",
    ) -> None:
        self.stack = stack
        self.timing = timing or Timing()
        self._celery = celery
        self._pool = pool
        self.workers: list[Process] = []
        self.writers: dict[str, int] = {}  # a worker's name at the database: its process
        self.api_key = ""
        ports = free_ports(2 + len(TOOLS))
        self.web_port, self.planner_port = ports[:2]
        self.tool_ports = dict(zip(TOOLS, ports[2:], strict=True))
        self._web: Process | None = None
        self._beat: Process | None = None
        self._valkey: Process | None = None
        self._postgres: Process | None = None

    @property
    def web_url(self) -> str:
        return f"http://{LOOPBACK}:{self.web_port}"

    @property
    def planner_url(self) -> str:
        return f"http://{LOOPBACK}:{self.planner_port}"

    def tool_url(self, tool: Tool) -> str:
        return f"http://{LOOPBACK}:{self.tool_ports[tool]}"

    def effects(self, tool: Tool) -> list[Effect]:
        """Return what a tool's server has written down."""
        return read_effects(self._effects_path(tool))

    def progress(self) -> int:
        """Return a number that grows with every effect."""
        paths = map(self._effects_path, TOOLS)
        return sum(path.stat().st_size for path in paths if path.exists())

    def open(self, *, workers: int = WORKERS) -> None:
        """Start everything and set the company up."""
        self._postgres = self.stack.start_postgres()
        self._valkey = self.stack.start_valkey()
        self.stack.variables |= self._variables()
        self.stack.migrate()
        install_watch(self.database_url(owner=True))
        self._start_tools()
        self.api_key = self._run_module("runs.chaos.company", self._addresses()).strip()
        for _ in range(workers):
            self.start_worker()
        self._start_beat()
        self._start_web()

    def abandon(self) -> None:
        """Kill everything but the database, which cleans up behind itself: nobody looks at the others any more."""
        for process in [process for process in self.stack.processes if process.name != "postgres"]:
            self.stack.kill(process)

    def database_url(self, *, owner: bool = False) -> str:
        """Return how to reach the database."""
        return self.stack.environment()["DATABASE_OWNER_URL" if owner else "DATABASE_URL"]

    def read(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:  # Any: columns
        """Return the rows of a query, over a connection of its own: the server may have been killed."""
        with psycopg.connect(self.database_url(), autocommit=True) as connection:
            return connection.execute(query.encode(), parameters or None).fetchall()

    def count_going(self) -> int:
        """Return how many runs have not ended."""
        return int(self.read(GOING)[0][0])

    def find_dead(self) -> list[str]:
        """Return words for every process that has ended although nobody killed it."""
        ended = [process for process in self.stack.processes if process.exit_code is not None]
        return [f"{process.name} ended by itself, exit code {process.exit_code}" for process in ended]

    # --- workers ----------------------------------------------------------------------------------------

    def start_worker(self) -> Process:
        """Start one more worker; the name that it has at the database is remembered."""
        name = f"worker-{len(self.writers) + 1}"
        size = ["-P", self._pool, "-c", str(CONCURRENCY), "-Q", application.QUEUES]
        identity = ["-n", f"{name}@%h", "--without-mingle", "--without-gossip"]
        worker = self.stack.spawn(
            name,
            [*self._celery, "worker", *size, *identity],
            env={"PGAPPNAME": name, **application.WORKER_VARIABLES},
            grace_s=application.WORKER_GRACE_S,
        )
        self.writers[name] = worker.pid
        self.workers.append(worker)
        return worker

    def kill_worker(self, worker: Process) -> None:
        """Kill a worker with SIGKILL and start another."""
        self.stack.kill(worker)
        self.workers.remove(worker)
        self.start_worker()

    def stop_worker(self, worker: Process) -> int:
        """Stop a worker in an orderly way; return its exit code, negative for a signal."""
        self.stack.stop(worker)
        self.workers.remove(worker)
        return worker.wait()

    def find_worker(self, pid: int) -> Process | None:
        """Return the worker with this process id, if it lives."""
        return next((worker for worker in self.workers if worker.pid == pid), None)

    # --- the others -------------------------------------------------------------------------------------

    def kill_web(self) -> None:
        """Kill the web server with SIGKILL and start it again on the same port."""
        assert self._web is not None  # noqa: S101  the arena is open
        self.stack.kill(self._web)
        self._start_web()

    def kill_beat(self) -> None:
        """Kill the scheduler with SIGKILL and start it again."""
        assert self._beat is not None  # noqa: S101  the arena is open
        self.stack.kill(self._beat)
        self._start_beat()

    def kill_postgres(self) -> None:
        """Kill the database with SIGKILL and start it again."""
        assert self._postgres is not None  # noqa: S101  the arena is open
        backends = find_children(self._postgres.pid)
        self.stack.kill(self._postgres)
        end_processes(backends)  # they hold the memory that the next server would use
        self._postgres = self.stack.start_postgres()

    def kill_valkey(self) -> None:
        """Kill the broker with SIGKILL, and leave it dead."""
        assert self._valkey is not None  # noqa: S101  the arena is open
        self.stack.kill(self._valkey)

    def start_valkey(self) -> None:
        """Start the broker again on the socket that it had."""
        self._valkey = self.stack.start_valkey()

    # --- starting ---------------------------------------------------------------------------------------

    def _start_web(self) -> None:
        self._web = application.spawn_web(self.stack, self.web_port)

    def _start_beat(self) -> None:
        self._beat = application.spawn_beat(self.stack)

    def _start_tools(self) -> None:
        started = [self._start_planner()]
        for tool, port in self.tool_ports.items():
            keys = "honoured" if tool == HONOURS_KEYS else "ignored"
            options = ["--port", str(port), "--file", str(self._effects_path(tool)), "--keys", keys]
            argv = [sys.executable, "-m", "runs.chaos.toolserver", *options]
            started.append((self.stack.spawn(f"tool-{tool}", argv), port))
        for process, port in started:
            self.stack.wait_ready(partial(accepts, port), process)

    def _start_planner(self) -> tuple[Process, int]:
        scripts = self.stack.data / "scripts"
        scripts.mkdir(exist_ok=True)
        options = ["--port", str(self.planner_port), "--scripts", str(scripts)]
        argv = [sys.executable, "-m", "agentops.demo.planner", *options]
        return self.stack.spawn("planner", argv), self.planner_port

    def _effects_path(self, tool: Tool) -> Path:
        return self.stack.data / f"effects-{tool}.jsonl"

    def _variables(self) -> dict[str, str]:
        return {
            "AGENTOPS_ENV": "development",
            "LEASE_S": str(self.timing.lease_s),
            "TIME_SLICE_S": str(self.timing.slice_s),
            "OPENAI_BASE_URL": f"{self.planner_url}/v1",
            "OPENAI_API_KEY": SCRIPTED_KEY,
            "MODEL_TIMEOUT_S": "10",
        }

    def _addresses(self) -> dict[str, str]:
        return {f"APPLY_{tool.upper()}_URL": self.tool_url(tool) for tool in TOOLS}

    def _run_module(self, module: str, variables: Mapping[str, str]) -> str:
        environment = {**os.environ, **self.stack.environment(), **variables}
        argv = [sys.executable, "-m", module]
        result = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(f"{module} failed:\n{result.stdout}{result.stderr}")
        return result.stdout
