"""Child processes that never outlive their parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from agentops.runtime.accounts import CURRENT_ACCOUNT, Account

HERE = Path(__file__).resolve().parent
LAST_LINES_TIMEOUT_S = 2.0  # unless somebody else still holds the pipe's other end
LAST_LINES = 30  # of a failed process's output: a traceback and its context

# Called with a process's name and one line of its output.
LineSink = Callable[[str, str], None]


class StackError(Exception):
    """The local stack cannot start or go on; the message is for the person at the terminal."""


class StackStopped(Exception):
    """Somebody asked the stack to stop while it was still starting."""


@dataclass(eq=False)
class Process:
    """One running child, the leader of its own process group."""

    name: str
    popen: subprocess.Popen[str]
    stop_signal: signal.Signals
    grace_s: float
    log: Path | None = None
    reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its process group."""
        return self.popen.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal, or None while it runs."""
        return self.popen.poll()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end; raise ``subprocess.TimeoutExpired`` after ``timeout_s`` seconds."""
        return self.popen.wait(timeout_s)

    def last_words(self) -> str:
        """Return the end of the output, where that went to a file."""
        if self.log is None:
            return ""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(["", *lines[-LAST_LINES:]])

    def hear_out(self) -> None:
        """Let the last lines of output arrive after the process's end."""
        if self.reader:
            self.reader.join(LAST_LINES_TIMEOUT_S)

    def stop(self) -> None:
        """Ask politely, then kill, then sweep what is left of the group."""
        if self.exit_code is None:
            self.popen.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(self.grace_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        self.hear_out()


class Guardian:
    """The parent's end of the pipe to the process described in ``guardian.py``."""

    def __init__(self) -> None:
        read_end, self._write_end = os.pipe()
        self._popen = subprocess.Popen(
            [sys.executable, "-I", str(HERE / "guardian.py")], stdin=read_end, start_new_session=True
        )
        os.close(read_end)

    def add(self, process: Process) -> None:
        """Put a process group under guard."""
        self._order(f"add {process.pid} {int(process.stop_signal)}")

    def drop(self, process: Process) -> None:
        """Forget a process group whose end the parent has seen."""
        self._order(f"drop {process.pid}")

    def remove_directory(self, directory: Path) -> None:
        """Have a throw-away directory removed if the parent dies."""
        self._order(f"remove {directory}")

    def dismiss(self) -> None:
        """Tell the guardian that everything has been stopped, and wait for its end."""
        self._order("done")
        os.close(self._write_end)
        self._popen.wait()

    def _order(self, line: str) -> None:
        os.write(self._write_end, f"{line}\n".encode())


def launch(
    name: str,
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    stop_signal: signal.Signals,
    grace_s: float,
    output: LineSink | Path,
    account: Account = CURRENT_ACCOUNT,
    cwd: Path | None = None,
) -> Process:
    """Start a program in a group of its own that the kernel signals when this thread's process dies.

    Call it from a thread that lives as long as the child: Linux ties the death signal to the thread.
    """
    with _open_output(output) as target:
        popen = subprocess.Popen(
            tied_argv(argv, stop_signal=stop_signal, account=account),
            stdin=subprocess.DEVNULL,
            stdout=target or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    process = Process(name, popen, stop_signal, grace_s)
    if isinstance(output, Path):
        process.log = output
    elif popen.stdout:
        process.reader = threading.Thread(
            target=_forward_lines, args=(name, popen.stdout, output), daemon=True
        )
        process.reader.start()
    return process


def tied_argv(
    argv: Sequence[str | Path], *, stop_signal: signal.Signals, account: Account = CURRENT_ACCOUNT
) -> list[str]:
    """Return the command line that starts ``argv`` through ``launcher.py`` as a child of this process."""
    identity = [str(int(stop_signal)), str(os.getpid()), str(account.uid), str(account.gid)]
    return [sys.executable, "-I", "-S", str(HERE / "launcher.py"), *identity, "--", *map(str, argv)]


def wait_until(
    ready: Callable[[], bool], process: Process, *, timeout_s: float, stop_requested: threading.Event
) -> None:
    """Poll until ``ready``; raise StackError if the process ends first or the time is over."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if stop_requested.is_set():
            raise StackStopped
        if process.exit_code is not None:
            raise StackError(
                f"{process.name} did not start (exit code {process.exit_code}){process.last_words()}"
            )
        if time.monotonic() > deadline:
            raise StackError(f"{process.name} was not ready after {timeout_s:.0f} s{process.last_words()}")
        time.sleep(0.02)


def _open_output(output: LineSink | Path) -> contextlib.AbstractContextManager[IO[bytes] | None]:
    return output.open("ab") if isinstance(output, Path) else contextlib.nullcontext()


def _forward_lines(name: str, lines: IO[str], sink: LineSink) -> None:
    with lines:
        for line in lines:
            sink(name, line.rstrip("\n"))
