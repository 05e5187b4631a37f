"""Stop what a killed parent started.

A process of its own reads orders from a pipe whose other end only the parent holds. End of file without
a ``done`` means that the parent died, even by ``kill -9``: every process group is stopped, newest first,
and throw-away directories are removed. Standard library only: it runs isolated (``python -I``).

Orders, one per line: ``add PGID SIGNAL``, ``drop PGID``, ``remove DIRECTORY``, ``done``.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# The parent's death signal has told every child to stop already: this is the time they get to do it.
GRACE_S = 2.0


@dataclass
class Orders:
    """What the parent asked for so far."""

    groups: dict[int, int] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    done: bool = False


def read_orders(lines: Iterable[str]) -> Orders:
    """Return the orders that stand when the input ends."""
    orders = Orders()
    for line in lines:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "add":
            group, stop_signal = rest.split()
            orders.groups[int(group)] = int(stop_signal)
        elif word == "drop":
            orders.groups.pop(int(rest), None)
        elif word == "remove":
            orders.directories.append(rest)
        elif word == "done":
            orders.done = True
    return orders


def signal_group(group: int, number: int) -> bool:
    """Signal a process group (0 only asks) and return whether it still exists."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def stop_groups(groups: dict[int, int]) -> None:
    """Stop every group, newest first, and kill what is left when the grace is over."""
    deadline = time.monotonic() + GRACE_S
    newest_first = list(reversed(groups.items()))
    for group, stop_signal in newest_first:
        signal_group(group, stop_signal)
    for group, _ in newest_first:
        while signal_group(group, 0) and time.monotonic() < deadline:
            time.sleep(0.02)
        signal_group(group, signal.SIGKILL)


def main() -> None:
    """Wait for the parent's end and clear up unless it said that it had done so itself."""
    orders = read_orders(sys.stdin)
    if orders.done:
        return
    stop_groups(orders.groups)
    for directory in orders.directories:
        shutil.rmtree(Path(directory), ignore_errors=True)


if __name__ == "__main__":
    # Ctrl-C reaches the whole terminal; the guardian has to outlive the parent, not to leave with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
