"""No process outlives the one that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from agentops.runtime import guardian
from agentops.runtime.processes import Process, StackError, StackStopped
from agentops.runtime.supervision import ROOT, Supervisor
from tests.runtime.process_tree import descendants, still_running

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Ignores SIGTERM and has a child of its own, as a worker pool does.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print('ready', flush=True);"
    "signal.pause()",
]
PARENT = f"""
import os, pathlib, sys, time
from agentops.runtime.supervision import Supervisor
supervisor = Supervisor(pathlib.Path(sys.argv[1]))
lines = []
supervisor.launch("sleep", {SLEEP!r}, env=os.environ)
supervisor.launch("stubborn", {STUBBORN!r}, env=os.environ, output=lambda name, line: lines.append(line))
while not lines:
    time.sleep(0.01)
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def parent_with_children(data: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """Run a process that supervises others; yield it and all its descendants."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        family = descendants(parent.pid)
        try:
            yield parent, family
        finally:
            parent.kill()
            for process in still_running(family, within_s=0):
                process.kill()


def is_guardian(process: psutil.Process) -> bool:
    return guardian.__file__ in process.cmdline()


def test_a_killed_parent_leaves_nobody(tmp_path: Path) -> None:
    with parent_with_children(tmp_path) as (parent, family):
        assert len(family) == 4  # guardian, sleep, stubborn and its child

        parent.kill()

        assert guardian.GRACE_S < 5
        assert still_running(family, within_s=5) == []


def test_children_go_even_when_the_guardian_was_killed_before(tmp_path: Path) -> None:
    with parent_with_children(tmp_path) as (parent, family):
        keeper = next(process for process in family if is_guardian(process))
        # The child of the stubborn one sleeps alike, and dies with the guardian's word only.
        sleeper = next(
            process
            for process in family
            if process.ppid() == parent.pid and process.cmdline()[-1] == SLEEP[-1]
        )
        keeper.kill()
        parent.kill()

        assert still_running([sleeper], within_s=5) == []


def test_closing_stops_newest_first_and_is_repeatable(tmp_path: Path) -> None:
    say_goodbye = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('bye', flush=True)));"
    )
    argv = [sys.executable, "-c", say_goodbye + "print('up', flush=True); signal.pause()"]
    lines: list[tuple[str, str]] = []
    with Supervisor(tmp_path) as supervisor:
        for name in ("first", "second"):
            process = supervisor.launch(
                name, argv, env=os.environ, output=lambda name, line: lines.append((name, line))
            )
            supervisor.wait_ready(lambda name=name: (name, "up") in lines, process)  # type: ignore[misc]  # a lambda with a default
    supervisor.close()

    assert [name for name, line in lines if line == "bye"] == ["second", "first"]


def test_a_failing_process_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        argv = [sys.executable, "-c", "import sys; sys.exit('no such table')"]
        process = supervisor.launch("job", argv, env=os.environ)

        with pytest.raises(StackError, match=r"(?s)job failed \(exit code 1\).*no such table"):
            supervisor.finish(process)


def test_waiting_for_a_process_that_died_ends_at_once(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        process = supervisor.launch("job", [sys.executable, "-c", "raise SystemExit(3)"], env=os.environ)

        with pytest.raises(StackError, match=r"job did not start \(exit code 3\)"):
            supervisor.wait_ready(lambda: False, process)


def test_a_request_to_stop_ends_every_wait(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        process = supervisor.launch("sleep", SLEEP, env=os.environ)
        threading.Timer(0.05, supervisor.stop_requested.set).start()

        with pytest.raises(StackStopped):
            supervisor.finish(process)
        with pytest.raises(StackStopped):
            supervisor.wait_ready(lambda: False, process)


def test_a_paused_process_can_go_on_and_a_killed_one_is_gone(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        process = supervisor.launch("sleep", SLEEP, env=os.environ)
        supervisor.kill(process, signal.SIGSTOP)
        _wait_for_status(process, psutil.STATUS_STOPPED)
        supervisor.kill(process, signal.SIGCONT)
        _wait_for_status(process, psutil.STATUS_SLEEPING)

        supervisor.kill(process)

        assert process.exit_code == -signal.SIGKILL
        assert supervisor.processes == []


def test_a_child_has_no_terminal_and_a_group_of_its_own(tmp_path: Path) -> None:
    with Supervisor(tmp_path) as supervisor:
        process = supervisor.launch("sleep", SLEEP, env=os.environ)

        assert os.getpgid(process.pid) == process.pid != os.getpgrp()


def test_a_log_tells_of_this_stack_only(tmp_path: Path) -> None:
    for word in ("old", "new"):
        with Supervisor(tmp_path) as supervisor:
            argv = [sys.executable, "-c", f"print('{word}')"]
            for _ in range(2):
                supervisor.finish(supervisor.launch("job", argv, env=os.environ))

    assert supervisor.log_of("job").read_text() == "new\nnew\n"


def _wait_for_status(process: Process, status: str) -> None:
    observed = psutil.Process(process.pid)
    while observed.status() != status:
        assert process.exit_code is None
