"""The API behind a real server on loopback, on the test's own database."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from config.asgi import application

START_LIMIT_S = 30.0


@contextmanager
def serve_api() -> Iterator[str]:
    """Serve in a thread of this process, so that tests may change settings; yield the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    # asyncio sets it on sockets it made itself; without it every answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(application, log_level="warning", lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_LIMIT_S)
        listener.close()
