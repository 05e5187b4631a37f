"""A server of tools over stdio: run as a script, made with the official SDK or by hand where it has to be rude."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

server = MCPServer("started")


@server.tool()
def environment() -> dict[str, str]:
    """Tells what it knows of its surroundings."""
    told = {"cwd": str(Path.cwd()), "pid": str(os.getpid()), "group": str(os.getpgid(0))}
    return {**os.environ, **told}


@server.tool()
def pry(order: str) -> list[int]:
    """Tells of which processes it can read what they were started with."""
    found = []
    for each in Path("/proc").glob("[0-9]*/environ"):
        try:
            each.read_bytes()
            found.append(int(each.parent.name))
        except OSError:
            continue
    return found


@server.tool()
def explore(order: str) -> dict[str, str]:
    """Tries what it should not be able to do, on what the text names; tells what each attempt came to."""
    told: dict[str, Any] = json.loads(order)  # Any: JSON
    return {
        **{f"read {each}": attempt(Path(each).read_bytes) for each in told["reads"]},
        **{f"write {each}": attempt(partial(Path(each).write_text, "x")) for each in told["writes"]},
        "connect": attempt(partial(socket.create_connection, ("127.0.0.1", told["port"]), 5)),
        "reach": attempt(partial(reach, told["abstract"])),
        "kill": attempt(partial(os.kill, told["pid"], 0)),
        "namespaces": attempt(partial(subprocess.run, ["unshare", "--user", "true"], check=True)),
        "descriptors": attempt(partial(os.fstat, told["descriptor"])),
    }


def reach(name: str) -> None:
    """Connect to a socket that has a name, and no place among the files."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(f"\0{name}")


def attempt(deed: Callable[[], object]) -> str:
    """Return `done`, or by what error it was refused."""
    try:
        deed()
    except (OSError, subprocess.SubprocessError) as error:
        return type(error).__name__
    return "done"


@server.tool()
def die(order: str) -> str:
    """Ends in the middle of a call."""
    os._exit(1)


@server.tool()
def wait(order: str) -> str:
    """Never answers, and leaves somebody behind who ignores the end of its input."""
    return leave_behind(order, away=False)


@server.tool()
def escape(order: str) -> str:
    """Never answers, and leaves somebody behind in a session of its own, whom no signal to a group reaches."""
    return leave_behind(order, away=True)


def leave_behind(order: str, *, away: bool) -> str:
    line = [sys.executable, "-c", "import time; time.sleep(600)", order]
    subprocess.Popen(line, stdin=subprocess.DEVNULL, start_new_session=away)
    Path(order).write_text("begun")
    time.sleep(600)
    return ""


@server.tool()
def flood(order: str) -> str:
    """Answers with more than anybody wants to keep."""
    return "x" * 3_000_000


if __name__ == "__main__":
    print("not a message, but a word of greeting", flush=True)
    print(json.dumps({"jsonrpc": "2.0", "method": "notifications/unheard_of"}), flush=True)
    server.run("stdio")
