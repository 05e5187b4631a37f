"""A server of tools over stdio: run as a script, made with the official SDK or by hand where it has to be rude."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

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
def die(order: str) -> str:
    """Ends in the middle of a call."""
    os._exit(1)


@server.tool()
def wait(order: str) -> str:
    """Never answers, and leaves somebody behind who ignores the end of its input."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.DEVNULL)
    with Path(order).open("w") as file:
        file.write(f"{os.getpid()} {child.pid}")
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
