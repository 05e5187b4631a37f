"""A set of processes that start one by one and stop together, newest first."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from agentops.runtime.accounts import CURRENT_ACCOUNT, Account
from agentops.runtime.processes import (
    Guardian,
    LineSink,
    Process,
    StackError,
    StackStopped,
    launch,
    wait_until,
)

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0


class Supervisor:
    """Processes over one data directory; none of them outlives this process, even by kill -9.

    Setting ``stop_requested`` (from a signal handler, say) ends every wait with StackStopped.
    """

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self.data = data.resolve()
        self.stop_requested = threading.Event()
        self.processes: list[Process] = []
        self._guardian = Guardian()
        self._seen: set[str] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def log_of(self, name: str) -> Path:
        """Return the file for a process's output where no sink takes it."""
        return self.data / "logs" / f"{name}.log"

    def launch(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_s: float = 10,
        output: LineSink | None = None,
        account: Account = CURRENT_ACCOUNT,
    ) -> Process:
        """Start a process with exactly this environment and put it under guard."""
        log = self.log_of(name)
        log.parent.mkdir(exist_ok=True)
        if name not in self._seen:  # logs tell of this stack only, or they would grow for ever
            log.unlink(missing_ok=True)
            self._seen.add(name)
        process = launch(
            name,
            argv,
            env=env,
            stop_signal=stop_signal,
            grace_s=grace_s,
            output=output or log,
            account=account,
            cwd=ROOT if account.is_current else Path("/"),
        )
        self._guardian.add(process)
        self.processes.append(process)
        return process

    def finish(self, process: Process) -> None:
        """Wait for a process's end; raise StackError unless it exits with 0."""
        while process.exit_code is None:
            if self.stop_requested.wait(0.02):
                raise StackStopped
        process.hear_out()
        self._forget(process)
        if process.exit_code:
            raise StackError(f"{process.name} failed (exit code {process.exit_code}){process.last_words()}")

    def wait_ready(self, ready: Callable[[], bool], process: Process) -> None:
        """Poll until ``ready``; raise StackError if the process ends first or takes too long."""
        wait_until(ready, process, timeout_s=START_TIMEOUT_S, stop_requested=self.stop_requested)

    def kill(self, process: Process, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal a process; a SIGKILL goes to its whole group and returns when the process is gone."""
        if number != signal.SIGKILL:
            process.popen.send_signal(number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._forget(process)

    def stop(self, process: Process) -> None:
        """Stop one process in an orderly way."""
        process.stop()
        self._forget(process)

    def close(self) -> None:
        """Stop everything, newest first. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for process in reversed(self.processes):
            process.stop()
        self._guardian.dismiss()

    def _forget(self, process: Process) -> None:
        if process in self.processes:
            self.processes.remove(process)
            self._guardian.drop(process)
