"""What the stack prints."""

from __future__ import annotations

import contextlib
import sys
import threading
import time

COLOURS = {
    "agentops": 1,
    "web": 32,
    "worker": 36,
    "urgent": 96,
    "beat": 35,
    "shop": 33,
    "planner": 34,
    "postgres": 90,
    "valkey": 90,
}
WIDTH = max(map(len, COLOURS))
_printing = threading.Lock()


def print_line(name: str, line: str) -> None:
    """Print one line of a process's output, with the time and the process's name."""
    tag = f"{name:<{WIDTH}} |"
    if sys.stdout.isatty():
        tag = f"\033[{COLOURS.get(name, 0)}m{tag}\033[0m"
    # A closed terminal must not stop the orderly end that its SIGHUP has begun.
    with _printing, contextlib.suppress(BrokenPipeError, ValueError, OSError):
        print(time.strftime("%H:%M:%S"), tag, line, flush=True)


def say(line: str) -> None:
    """Print a line of the stack's own."""
    print_line("agentops", line)
