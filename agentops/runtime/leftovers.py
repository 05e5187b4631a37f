"""Servers that an earlier stack left behind, when even its guardian was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

TIMEOUT_S = 10.0


def stop_left_over(pid_file: Path, program: str, stop_signal: signal.Signals) -> None:
    """Stop the process that a pid file names, if it still runs that program.

    The caller holds the data directory's lock, so whatever still runs there belongs to nobody.
    """
    pid = _read_pid(pid_file)
    if pid is None or program not in program_of(pid):
        return
    os.kill(pid, stop_signal)
    deadline = time.monotonic() + TIMEOUT_S
    while program in program_of(pid):
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def program_of(pid: int) -> str:
    """Return the name of a process's program, empty if there is no such process."""
    if Path("/proc/self").exists():  # a minimal Debian has no ps, macOS has no /proc
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            return ""
    listing = subprocess.run(
        ["/bin/ps", "-p", str(pid), "-o", "comm="], capture_output=True, text=True, check=False
    )
    return listing.stdout.strip()


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
