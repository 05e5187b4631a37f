"""Servers that an earlier stack left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from agentops.runtime.leftovers import program_of, stop_left_over

NOBODY = 2**22 + 1  # above the largest process id that Linux gives


def test_a_left_over_is_stopped(tmp_path: Path) -> None:
    process = subprocess.Popen(["/bin/sleep", "600"])
    pid_file = tmp_path / "server.pid"
    pid_file.write_text(f"{process.pid}\nmore lines\n")
    reaper = threading.Thread(target=process.wait)
    reaper.start()

    stop_left_over(pid_file, "sleep", signal.SIGTERM)
    reaper.join()

    assert process.returncode == -signal.SIGTERM


def test_a_process_that_took_over_the_number_is_left_alone(tmp_path: Path) -> None:
    pid_file = tmp_path / "server.pid"
    pid_file.write_text(str(os.getpid()))

    stop_left_over(pid_file, "no-such-program", signal.SIGKILL)  # or this test would not end


@pytest.mark.parametrize("text", [None, "", "garbage", str(NOBODY)])
def test_a_useless_pid_file_is_no_error(tmp_path: Path, text: str | None) -> None:
    pid_file = tmp_path / "server.pid"
    if text is not None:
        pid_file.write_text(text)

    stop_left_over(pid_file, "postgres", signal.SIGINT)


def test_programs_have_names() -> None:
    assert "python" in program_of(os.getpid()) or "pytest" in program_of(os.getpid())
    assert program_of(NOBODY) == ""
