"""The ways in which a campaign kills: at random moments, and just before or after an effect."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Self
from uuid import UUID

import httpx2

from agentops.runtime.processes import Process
from runs.chaos.arena import Arena, Tool
from runs.chaos.trap import Side, Verdict

# In this order a short campaign takes its kinds; a long one takes all of them, some more often than others.
KINDS = (
    "worker_after_effect",
    "worker",
    "valkey",
    "worker_paused_in_effect",
    "web",
    "worker_before_effect",
    "worker_after_effect",
    "worker_paused",
    "worker",
    "beat",
)
# Not among them, because it takes everybody long to come back: asked for by name.
ALL_KINDS = frozenset((*KINDS, "postgres"))
CATCH_S = 5.0
TAKEOVER_S = 15.0  # beyond the lease: the sweeper has to come by, on a busy machine


class Killer:
    """Kills one process at a time and brings it back; traps are set at the servers of ``tools``."""

    def __init__(self, arena: Arena, dice: random.Random, tools: tuple[Tool, ...]) -> None:
        self._arena = arena
        self._dice = dice
        # One after another: chance alone could leave a server out, and three traps are to find all kinds of tools.
        self._tools = cycle(dice.sample(tools, len(tools)))
        self._tool = next(self._tools)
        self._http = httpx2.Client(timeout=CATCH_S + 5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def kill(self, kind: str) -> bool:
        """Carry one kill out; False when there was nothing to catch."""
        return _WAYS[kind](self)

    def worker(self) -> bool:
        """Kill a worker, whatever it is doing."""
        self._arena.kill_worker(self._dice.choice(self._arena.workers))
        return True

    def worker_after_effect(self) -> bool:
        """Kill a worker whose effect has happened and who does not know it yet."""
        caught = self._catch("after")
        if caught is None:
            return False
        tool, worker, _ = caught
        self._arena.kill_worker(worker)
        self._release(tool, "go")
        return True

    def worker_before_effect(self) -> bool:
        """Kill a worker whose request is under way: lost with it, or carried out after its death."""
        caught = self._catch("before")
        if caught is None:
            return False
        tool, worker, _ = caught
        self._arena.kill_worker(worker)
        self._release(tool, self._dice.choice(("go", "drop")))
        return True

    def worker_paused_in_effect(self) -> bool:
        """Stop a worker in the middle of an effect until another has taken its run; then let it go on."""
        caught = self._catch(self._dice.choice(("before", "after")))
        if caught is None:
            return False
        tool, worker, run = caught
        epoch = self._epoch(run)
        self._arena.stack.kill(worker, signal.SIGSTOP)
        self._wait(lambda: self._epoch(run) != epoch, self._arena.timing.lease_s + TAKEOVER_S)
        # Whoever took over may repeat the effect at once: let the repetition meet the stopped one.
        self._wait(lambda: self._followers(tool) > 0, 1.0)
        self._arena.stack.kill(worker, signal.SIGCONT)
        self._release(tool, "go")
        return True

    def worker_paused(self) -> bool:
        """Stop a worker for longer than its leases, whatever it is doing; then let it go on."""
        worker = self._dice.choice(self._arena.workers)
        self._arena.stack.kill(worker, signal.SIGSTOP)
        time.sleep(self._arena.timing.lease_s + self._dice.uniform(0.5, 3.0))
        self._arena.stack.kill(worker, signal.SIGCONT)
        return True

    def valkey(self) -> bool:
        """Kill the broker, let it be missed, and start it again."""
        self._arena.kill_valkey()
        time.sleep(self._dice.uniform(0.0, 2.0))
        self._arena.start_valkey()
        return True

    def postgres(self) -> bool:
        """Kill the database."""
        self._arena.kill_postgres()
        return True

    def web(self) -> bool:
        """Kill the web server."""
        self._arena.kill_web()
        return True

    def beat(self) -> bool:
        """Kill the scheduler."""
        self._arena.kill_beat()
        return True

    # --- traps ------------------------------------------------------------------------------------------

    def _catch(self, side: Side) -> tuple[Tool, Process, UUID] | None:
        """Hold the next effect at the server whose turn it is; return where, whose and of which run it is."""
        tool = self._tool
        question = {"side": side, "timeout_s": CATCH_S}
        answer = self._http.post(f"{self._arena.tool_url(tool)}/trap/catch", json=question)
        if answer.status_code != 200:
            return None
        run = UUID(answer.json()["key"].partition(":")[0])
        worker = self._arena.find_worker(self._driver_of(run))
        if worker is None:
            self._release(tool, "go")
            return None
        self._tool = next(self._tools)
        return tool, worker, run

    def _release(self, tool: Tool, verdict: Verdict) -> None:
        self._http.post(f"{self._arena.tool_url(tool)}/trap/release", json={"verdict": verdict})

    def _followers(self, tool: Tool) -> int:
        return int(self._http.get(f"{self._arena.tool_url(tool)}/trap").json()["followers"])

    def _driver_of(self, run: UUID) -> int:
        """Return the process that holds the run's lease, 0 if nobody does."""
        [(owner,)] = self._arena.read("SELECT lease_owner FROM runs_run WHERE id = %s", run)
        return int(owner.rpartition(":")[2] or 0)

    def _epoch(self, run: UUID) -> int:
        [(epoch,)] = self._arena.read("SELECT lease_epoch FROM runs_run WHERE id = %s", run)
        return int(epoch)

    @staticmethod
    def _wait(happened: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not happened() and time.monotonic() < deadline:
            time.sleep(0.05)


_WAYS: dict[str, Callable[[Killer], bool]] = {kind: getattr(Killer, kind) for kind in ALL_KINDS}


def draw_kills(count: int, kinds: tuple[str, ...], dice: random.Random) -> list[str]:
    """Return that many kinds of kills, each as often as it comes in the list, in random order."""
    kills = list(islice(cycle(kinds), count))
    dice.shuffle(kills)
    return kills
