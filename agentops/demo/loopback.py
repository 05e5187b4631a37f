"""Serve an ASGI application on the loopback interface, and nowhere else."""

from __future__ import annotations

import argparse
import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST = "127.0.0.1"


def add_port(parser: argparse.ArgumentParser) -> None:
    """Add the ``--port`` option that both servers take."""
    parser.add_argument(
        "--port", type=port_number, default=0, help="TCP port on 127.0.0.1; 0 picks a free one"
    )


def port_number(text: str) -> int:
    """Return a TCP port; raises ArgumentTypeError outside 0 to 65535."""
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 0 and 65535")
    return int(text)


def bind_loopback(port: int) -> socket.socket:
    """Return a listening socket; raises OSError when the port is taken."""
    # asyncio turns Nagle's algorithm off only where the protocol is named; left on, every answer on a kept
    # connection waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def uvicorn_server(app: ASGIApp) -> uvicorn.Server:
    """Return a quiet server: open requests get two seconds to end at a stop (a scripted hang would never)."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    return uvicorn.Server(config)


def serve(app: ASGIApp, port: int, name: str) -> None:
    """Serve until SIGTERM or SIGINT, and print the address once the socket is open.

    Exits 1 when the port is taken.
    """
    try:
        listener = bind_loopback(port)
    except OSError as error:
        raise SystemExit(f"{name}: cannot listen on {HOST}:{port}: {error.strerror}") from error
    print(f"{name} listening on http://{HOST}:{listener.getsockname()[1]}", flush=True)
    uvicorn_server(app).run(sockets=[listener])
