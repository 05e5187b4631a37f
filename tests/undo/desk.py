"""A desk of one agent: real workers, real tool servers, and one file of all that has happened, in its order.

What the agent makes is undone by three tools, one for each way in which a tool can (not) be repeated: ``keep`` honours
keys, ``ask`` can be asked about them, and of ``blind`` nobody can know. Nothing undoes a ``mail``.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentops.runtime import application
from agentops.runtime.processes import Process
from agentops.runtime.services import Stack
from runs.chaos.effects import EffectFile, read_effects
from runs.chaos.toolserver import ToolServer
from runs.chaos.trap import Side, Verdict
from runs.models import Run, ToolCall
from runs.undoing.services import undo_run
from tests.live import worker_stack
from tests.runs.company import Company, proposes, says
from tests.runs.planner.provider import Conversation, Turn
from tools.models import Tool

KINDS = {"keep": "honours_key", "ask": "read_back", "blind": "none"}
NAMED = {
    "type": "object",
    "properties": {"effect": {"type": "string"}},
    "required": ["effect"],
    "additionalProperties": False,
}
PATIENT = {"consecutive_failures": 100_000, "minimum_calls": 100_000, "open_s": 1, "open_cap_s": 1}
LEASE_S = 3.0
PATIENCE_S = 60.0
CATCH_S = 60.0  # a lost attempt may be on its way for as long as its tool has
MUTANT = (sys.executable, "-m", "tests.crash.mutant_worker")


@dataclass
class Desk:
    """The company, its tools' servers by kind, and the workers that are alive."""

    company: Company
    stack: Stack
    path: Path
    servers: dict[str, ToolServer]
    workers: list[Process] = field(default_factory=list)
    started: int = 0
    mutant: str = ""

    # --- workers ----------------------------------------------------------------------------------------

    def work(self, count: int = 2, mutant: str = "") -> None:
        """Start workers, with a safeguard taken out of these and later ones where a mutant is named."""
        self.mutant = mutant = mutant or self.mutant
        for _ in range(count):
            self.started += 1
            celery = (*MUTANT, mutant, "--quiet", "-A", "config") if mutant else application.CELERY
            size = ["-P", "threads", "-c", "8", "-Q", application.QUEUES]
            name = f"worker-{self.started}"
            identity = ["-n", f"{name}@%h", "--without-mingle", "--without-gossip"]
            argv = [*celery, "worker", *size, *identity]
            self.workers.append(self.stack.spawn(name, argv, env=application.WORKER_VARIABLES))

    def kill_driver_of(self, run: Run) -> bool:
        """Kill the worker that holds a run with SIGKILL and start another; False where nobody holds it."""
        return self._kill(self._driver_of(run))

    def kill_after(self, run: Run, kind: str, seconds: float) -> bool:
        """Kill the driver of a run so long after a request of its was let go; False where none came any more."""
        trap = self.servers[kind].trap
        hold = trap.catch("before", 0.2)
        driver = self._driver_of(run)
        trap.release("go")
        time.sleep(seconds)
        return hold is not None and self._kill(driver)

    @staticmethod
    def _driver_of(run: Run) -> int:
        """Return the process that holds a run, or 0."""
        owner = Run.objects.values_list("lease_owner", flat=True).get(pk=run.pk)
        return int(owner.rpartition(":")[2] or 0)

    def _kill(self, pid: int) -> bool:
        found = [worker for worker in self.workers if worker.pid == pid]
        for worker in found:
            self.stack.kill(worker)
            self.workers.remove(worker)
            self.work(1)
        return bool(found)

    # --- servers ----------------------------------------------------------------------------------------

    @contextmanager
    def held(self, kind: str, side: Side, verdict: Verdict = "go") -> Iterator[str]:
        """Hold the next request at a server on one side of its effect; within the block it is held."""
        trap = self.servers[kind].trap
        hold = trap.catch(side, CATCH_S)
        assert hold is not None, f"nothing came to {kind}: {self.log()}"
        try:
            yield hold.key
        finally:
            trap.release(verdict)

    def happened(self) -> list[tuple[str, str]]:
        """Return all that has happened, as the tool and the name of the effect, in its order."""
        return [(each.key.split(":")[2], each.effect) for each in read_effects(self.path)]

    def undone(self) -> list[str]:
        """Return the names of what was undone, in the order of that."""
        return [name for tool, name in self.happened() if tool.startswith("undo_")]

    # --- what is done -----------------------------------------------------------------------------------

    def run(self, *effects: tuple[str, str]) -> Run:
        """Have a run make effects, as kind and name; return it when it has ended."""
        turns = [proposes((f"make_{kind}", {"effect": name})) for kind, name in effects]
        self._play([*turns, says("Done.")])
        return self.ended(self.company.start(), "completed")

    def _play(self, turns: Sequence[Turn]) -> None:
        """Answer by how far the conversation is: a driver that lost its lease may have asked for the same turn."""

        def answer(conversation: Conversation) -> None:
            messages = self.company.asked()[-1]["messages"]
            turns[sum(message["role"] == "assistant" for message in messages)](conversation)

        self.company.play(answer)

    def undo(self, run: Run) -> Run:
        """Undo a run, as Ada."""
        return undo_run(actor=self.company.cast.ada, run=run, reason="It was a mistake.")

    def ended(self, run: Run, *states: str) -> Run:
        """Wait until a run has ended, in one of these states."""
        self.wait(lambda: self.is_over(run), f"{run.pk} does not end")
        run.refresh_from_db()
        assert run.state in states, (run.state, run.status_reason, run.status_detail)
        return run

    def waits(self, run: Run) -> Run:
        """Wait until a run waits for people."""
        self.wait(lambda: Run.objects.get(pk=run.pk).state == "requires_action", f"{run.pk} waits for nobody")
        run.refresh_from_db()
        return run

    def told(self, undo: Run) -> list[str]:
        """Return the lines with which an undo has ended, one for each effect."""
        content = self.company.content(undo, f"run.{undo.state}")
        said: str = content.get("answer") or content["summary"].partition("\n")[2]
        return said.splitlines()

    def log(self) -> str:
        """Return how all runs and calls stand, and what the workers have said last."""
        runs = Run.objects.values_list("kind", "state", "steps", "lease_owner", "lease_until", "wake_at")
        calls = ToolCall.objects.values_list("step", "tool_name", "state", "code")
        logs = [path.read_text()[-1_000:] for path in sorted((self.stack.data / "logs").iterdir())]
        return "\n".join(map(str, (*runs, *calls, *logs)))

    def tool(self, name: str) -> Tool:
        return Tool.objects.get(name=name)

    @staticmethod
    def wait(is_so: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.05)

    def is_over(self, undo: Run) -> bool:
        return Run.objects.get(pk=undo.pk).ended_at is not None


@contextmanager
def open_desk(company: Company, data: Path) -> Iterator[Desk]:
    """Start the servers of the tools; stop them and all workers at the end."""
    path = data / "effects.jsonl"
    effects = EffectFile(path)
    servers = {
        kind: ToolServer(0, effects, honours_keys=promise == "honours_key") for kind, promise in KINDS.items()
    }
    for server in servers.values():
        threading.Thread(target=server.serve_forever, daemon=True).start()
    _set_up(company, servers)
    try:
        with worker_stack(data / "stack", _environment(company)) as stack:
            application.spawn_beat(stack)
            desk = Desk(company, stack, path, servers)
            yield desk
            for worker in desk.workers:  # nobody is to write while the company is looked over
                stack.kill(worker)
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()


def _environment(company: Company) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": company.provider.base_url,
        "OPENAI_API_KEY": "sk-test",
        "LEASE_S": str(LEASE_S),
        "TIME_SLICE_S": "2",
    }


def _set_up(company: Company, servers: dict[str, ToolServer]) -> None:
    for kind, promise in KINDS.items():
        url = f"http://127.0.0.1:{servers[kind].server_port}/effects"
        _add(company, f"undo_{kind}", url, promise)
        undo = {"kind": "reversible", "tool": f"undo_{kind}", "arguments": {"effect": "$arguments.effect"}}
        _add(company, f"make_{kind}", f"http://127.0.0.1:{servers['keep'].server_port}/effects", undo=undo)
    _add(company, "make_mail", f"http://127.0.0.1:{servers['keep'].server_port}/effects")


def _add(company: Company, name: str, url: str, promise: str = "honours_key", **more: Any) -> None:
    config: dict[str, Any] = {"method": "POST", "url": url, "allow_private": True}
    if promise == "read_back":
        address = f"{url}/{{idempotency_key}}"
        config["read_back"] = {"method": "GET", "url": address}
    company.add_tool(
        name, adapter="http", config=config, effect="reversible", idempotency=promise, input_schema=NAMED,
        timeout_s=8, max_attempts=10, backoff_base_s=0.1, backoff_cap_s=0.5, breaker=PATIENT, on_unknown="halt",
        statement="", **more,
    )  # fmt: skip


def names(effects: Sequence[tuple[str, str]]) -> list[str]:
    """Return in which order effects have to be undone."""
    return [name for kind, name in reversed(effects) if kind != "mail"]
